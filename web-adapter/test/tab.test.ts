import { expect, test } from "vitest";
import { iconOf, newsOf, titleOf } from "../example/components/tab.ts";

test("a tab tells that the crew waits as long as it does, and an end until it was seen", () => {
  expect(newsOf("waiting", false)).toBe("waiting");
  expect(newsOf("completed", true)).toBe("completed");
  expect(newsOf("completed", false)).toBeUndefined();
  expect(newsOf("running", true)).toBeUndefined();
  expect(newsOf(undefined, true)).toBeUndefined();
});

test("its title is what is asked for, behind what there is to tell", () => {
  expect(titleOf("", undefined)).toBe("Crew");
  expect(titleOf("A launch plan", undefined)).toBe("A launch plan");
  expect(titleOf("A launch plan", "waiting")).toBe("● Waiting for you · A launch plan");
  expect(titleOf("A launch plan", "completed")).toBe("✓ Done · A launch plan");
  expect(titleOf("word ".repeat(40), undefined)).toBe(`${"word ".repeat(16).trimEnd()}…`);
});

test("its icon has a dot for each state, which a policy of 'self' and data: lets in, and none for what was seen", () => {
  const icons = [
    iconOf("running", undefined),
    iconOf("waiting", "waiting"),
    iconOf("paused", undefined),
    iconOf("completed", "completed"),
    iconOf("failed", "failed"),
    iconOf("cancelled", "cancelled"),
  ];
  expect(new Set(icons).size).toBe(icons.length);
  for (const icon of icons) expect(icon).toMatch(/^data:image\/svg\+xml,%3Csvg/);
  expect(iconOf("completed", undefined)).toBeUndefined();
  expect(iconOf(undefined, undefined)).toBeUndefined();
});
