import { expect, test } from "vitest";
import { groupOf, matches } from "../example/components/threads/group.ts";

test.each([
  ["2026-11-24T00:00", "Today"],
  ["2026-11-25T09:00", "Today"],
  ["2026-11-23T23:59", "Yesterday"],
  ["2026-11-23T00:00", "Yesterday"],
  ["2026-11-22T23:59", "Earlier"],
])("what was last at work at %s is of %s", (at, group) => {
  expect(groupOf(Date.parse(at), Date.parse("2026-11-24T18:00"))).toBe(group);
});

test("what has just begun is of today", () => {
  expect(groupOf(undefined, 0)).toBe("Today");
});

test.each([
  ["A café in Lisbon", "lisbon CAFE", true],
  ["A café in Lisbon", "caf", true],
  ["A café in Lisbon", "café porto", false],
  ["A café in Lisbon", "  ", true],
])("%j matches %j: %s", (title, query, does) => {
  expect(matches(title, query)).toBe(does);
});
