import { describe, expect, test } from "vitest";
import { costOf, costOfCalls, money } from "../example/components/cost.ts";
import type { Prices } from "../src/index.ts";

const prices: Prices = {
  currency: "USD",
  models: {
    plain: { input: 2, output: 10 },
    "openai/listed": { input: 4, output: 8, cached: 1 },
    "azure/twice": { input: 1, output: 1 },
    "other/twice": { input: 2, output: 2 },
  },
};
const tokens = { prompt: 1_000_000, completion: 500_000 };

describe("what a call costs", () => {
  test.each([
    ["plain", 7],
    ["any/plain", 7],
    ["openai/listed", 8],
    ["listed", 8],
  ])("%s is in the table", (model, cost) => expect(costOf(model, tokens, prices)).toBe(cost));

  test.each(["unknown", "plain-mini", "plai", "twice", "constructor", "", null])("%j has no price", (model) =>
    expect(costOf(model, tokens, prices)).toBe(null),
  );

  test("no table, no price", () => {
    expect(costOf("plain", tokens, null)).toBe(null);
    expect(costOf("plain", tokens, undefined)).toBe(null);
  });

  test("what was in the cache costs what the table says of it, or as much as the rest", () => {
    expect(costOf("listed", { ...tokens, cached: 600_000 }, prices)).toBeCloseTo(1.6 + 0.6 + 4);
    expect(costOf("plain", { ...tokens, cached: 600_000 }, prices)).toBe(7);
  });

  test("several cost their sum, and nothing is said where one of them has no price", () => {
    const calls = [
      { model: "plain", tokens },
      { model: "listed", tokens },
    ];
    expect(costOfCalls(calls, prices)).toBe(15);
    expect(costOfCalls([...calls, { model: "unknown", tokens }], prices)).toBe(null);
    expect(costOfCalls([], prices)).toBe(null);
  });
});

test.each([
  [12.345, "USD", "$12.35"],
  [0.5, "EUR", "€0.50"],
  [0.0021, "USD", "$0.0021"],
  [0.00001, "USD", "<$0.0001"],
  [0, "USD", "$0.00"],
  [3, "XTS", "XTS 3.00"],
])("%d %s is written %s", (amount, currency, text) =>
  expect(money(amount, currency).replaceAll("\u00a0", " ")).toBe(text),
);
