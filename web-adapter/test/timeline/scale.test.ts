import { expect, test } from "vitest";
import { createFold } from "../../example/components/timeline/fold.ts";
import { itemsOf, placeOf, roomFor, ticks } from "../../example/components/timeline/scale.ts";
import { heightOf, seen, topsOf } from "../../example/components/timeline/shape.ts";
import { restAt } from "../../example/components/timeline/usePlayer.ts";
import { clock, lasting } from "../../example/components/timeline/words.ts";
import { random, written } from "./log.ts";

test.each([
  [0.05, 30_000, ["0", "2 s", "4 s", "6 s"]],
  [0.5, 2_000, ["0", "0.2 s", "0.4 s", "0.6 s"]],
  [10, 50, ["0", "0.010 s", "0.020 s", "0.030 s"].map((label) => label.replace("0 s", " s"))],
  [0.001, 400_000, ["0", "2:00", "4:00", "6:00"]],
  [0.00001, 30_000_000, ["0", "2:00:00", "4:00:00", "6:00:00"]],
])("ticks at %d pixels a ms are ones that people count by", (perMs, to, labels) => {
  expect(
    ticks(perMs, 0, to)
      .slice(0, 4)
      .map(({ label }) => label),
  ).toEqual(labels);
});

test("a live run has room to grow into at any length", () => {
  for (let ms = 1; ms < 1e8; ms *= 1.7) {
    expect(roomFor(ms)).toBeGreaterThan(ms);
    expect(roomFor(ms)).toBeLessThan(Math.max(ms, 5_000) * 2);
  }
});

test("at any scale each bar is in one item, and no item that is drawn as several is wider than a finger's tip", () => {
  const fold = createFold();
  const log = random(5, 2_000);
  for (const event of log) fold.push(event);
  const { rows, start } = fold.timeline();
  for (const perMs of [0.0001, 0.01, 1, 50])
    for (const row of rows) {
      const items = itemsOf(row, { from: start, perMs });
      expect(items.flatMap(({ bars }) => bars.map(({ id }) => id)).toSorted()).toEqual(
        row.bars.map(({ id }) => id).toSorted(),
      );
      const several = items.filter(({ bars }) => bars.length > 1);
      for (const { left, right } of several) expect(right! - left).toBeLessThanOrEqual(24);
      for (const { id } of row.bars) expect(placeOf(items, id)).toBeGreaterThanOrEqual(0);
    }
});

test("of many rows those are found that can be seen", () => {
  const fold = createFold();
  for (const event of random(7, 600)) fold.push(event);
  const { rows } = fold.timeline();
  const tops = topsOf(rows, false);
  expect(tops.at(-1)).toBe(rows.reduce((sum, row) => sum + heightOf(row, false), 0));
  for (let from = 0; from < tops.at(-1)!; from += 13) {
    const [first, last] = seen(tops, from, from + 100);
    const overlapping = rows.flatMap((_, n) => (tops[n + 1]! > from && tops[n]! < from + 100 ? [n] : []));
    expect([first, last]).toEqual([overlapping[0], overlapping.at(-1)! + 1]);
  }
});

test("what a replay skips is what nobody did anything in", () => {
  const { say, events } = written();
  const who = { task: "write", agent: "Ann", tid: "1.1" };
  const queued = say("run.queued", 0, { crew: "c", inputs: {}, review: [], position: 1 });
  const began = say("run.started", 5_000, { model: "m", attempt: 1, tasks: [] });
  const call = say("llm.started", 10, { call: "a", model: "m" }, who);
  const asked = say("input.requested", 500, { input: "i", prompt: "?", output: null, expires: null }, who);
  const done = say("llm.completed", 500, { call: "a", usage: null, finish_reason: null }, who);
  const answered = say("input.answered", 9_000, { input: "i", text: "" });
  const fold = createFold();
  for (const event of events) fold.push(event);
  const timeline = fold.timeline();
  expect(restAt(timeline, queued.ts + 1)).toEqual([queued.ts, began.ts]);
  expect(restAt(timeline, call.ts + 1)).toBeNull();
  // Somebody else goes on while one of them waits.
  expect(restAt(timeline, asked.ts + 1)).toBeNull();
  expect(restAt(timeline, done.ts + 1)).toEqual([asked.ts, answered.ts]);
});

test.each([
  [0.83, "0.8 ms"],
  [451, "451 ms"],
  [2_440, "2.4 s"],
  [59_970, "1 min 0 s"],
  [3_725_000, "1 h 2 min"],
  [-5, "0.0 ms"],
])("%d ms are %s", (ms, words) => expect(lasting(ms)).toBe(words));

test("a moment of the run is counted in seconds, and beyond a minute in those too", () => {
  expect([clock(0), clock(12_400), clock(75_000)]).toEqual(["0.0 s", "12.4 s", "1 min 15 s"]);
});
