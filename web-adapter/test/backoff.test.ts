import { expect, test } from "vitest";
import { backoff } from "../src/backoff.ts";

const highest = () => 1 - Number.EPSILON;

test("the ceiling doubles with each try until the cap", () => {
  const ceilings = [0, 1, 2, 3, 4, 5, 6, 50].map((attempt) => Math.round(backoff(attempt, highest)));
  expect(ceilings).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
});

test("the whole range below the ceiling is used", () => {
  expect(backoff(3, () => 0)).toBe(0);
  expect(backoff(3, () => 0.5)).toBe(1_000);
});

test("a number of tries beyond all floats still waits no longer than the cap", () => {
  expect(backoff(5_000, highest)).toBeLessThan(10_000);
});
