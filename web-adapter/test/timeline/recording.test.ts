import { expect, test } from "vitest";
import { emptyRun, reduce, type RunEvent } from "../../src/index.ts";
import { BLOCK, createRecording, LIMITS, recordingOf } from "../../example/components/timeline/recording.ts";
import { numbers } from "../numbers.ts";
import { random, written } from "./log.ts";

const seeds = Array.from({ length: 6 }, (_, n) => n + 1);

const until = (events: readonly RunEvent[], ms: number) => events.filter(({ ts }) => ts <= ms).reduce(reduce, emptyRun);

test.each(seeds)("any moment is the run by the events until then, whichever was looked at before: %i", (seed) => {
  const log = random(seed, 3 * BLOCK);
  const recording = recordingOf(log);
  const next = numbers(seed);
  const { start, end } = recording.timeline();
  for (let n = 0; n < 10; n += 1) {
    const at = start - 10 + next() * (end - start + 20);
    // As it is played: a little later each time, and sometimes not later at all.
    for (const ms of [at, at, at + 5, at + 30]) expect(recording.viewAt(ms)).toEqual(until(log, ms));
  }
});

test.each(seeds)("so it is while events come, and the newest is what they come to: %i", (seed) => {
  const log = random(seed, 100);
  const recording = createRecording();
  const next = numbers(seed);
  log.forEach((event, n) => {
    expect(recording.push(event)).toBe(true);
    const at = log[Math.floor(next() * (n + 1))]!.ts;
    expect(recording.viewAt(at)).toEqual(until(log.slice(0, n + 1), at));
  });
  expect(recording.view).toEqual(log.reduce(reduce, emptyRun));
  expect(recording.length).toBe(log.length);
});

test("played on, what stays the same is the same object", () => {
  const log = random(3, 3 * BLOCK)
    .toSorted((a, b) => a.ts - b.ts)
    .map((event, n) => ({ ...event, seq: n + 1 }));
  const recording = recordingOf(log);
  const [a, b] = [log[BLOCK + 20]!, log[BLOCK + 21]!];
  const before = recording.viewAt(a.ts);
  const after = recording.viewAt(b.ts);
  expect(recording.viewAt(b.ts)).toBe(after);
  expect(after).not.toBe(before);
  expect(after.work.filter((item, n) => item === before.work[n]).length).toBeGreaterThanOrEqual(after.work.length - 1);
});

test("what comes twice changes nothing, and a reset has all told again", () => {
  const log = random(1, 50);
  const recording = recordingOf(log);
  expect(recording.push(log[10]!)).toBe(false);
  expect(recording.push({ type: "stream.ping", seq: 50, server_time: 1 })).toBe(false);
  expect(recording.push({ type: "stream.reset", run: "r", reason: "evicted", from: 60 })).toBe(false);
  expect(recording.length).toBe(log.length);
  expect(recording.push({ type: "stream.reset", run: "r", reason: "epoch", from: 1 })).toBe(true);
  expect([recording.length, recording.view, recording.timeline().rows.length]).toEqual([0, emptyRun, 1]);
  recording.push(log[0]!);
  expect(recording.timeline().start).toBe(log[0]!.ts);
});

test("a recording has a bound: the oldest go, their bars stay, and moments that are left are told truly", () => {
  const { say, events } = written();
  const who = { task: "write", agent: "Ann", tid: "1.1" };
  say("run.started", 0, { model: "m", attempt: 1, tasks: [{ name: "write", agent: "Ann", tid: "1.1" }] });
  say("task.started", 1, { name: "write", index: 1, of: 1 }, who);
  say("llm.started", 1, { call: "c", model: "m" }, who);
  while (events.length < 3 * BLOCK) say("llm.delta", 1, { call: "c", text: "words", kind: "text" }, who);
  const recording = createRecording({ ...LIMITS, text: 2 * BLOCK * 12 });
  for (const event of events) recording.push(event);
  expect(recording.length).toBe(2 * BLOCK);
  expect(recording.from).toBe(events[BLOCK]!.ts);
  expect(recording.timeline().bars.find(({ kind }) => kind === "task")?.start).toBe(events[1]!.ts);
  const at = events[2 * BLOCK + 5]!.ts;
  expect(recording.viewAt(at)).toEqual(until(events, at));
  expect(recording.viewAt(0)).toEqual(events.slice(0, BLOCK).reduce(reduce, emptyRun));
});

test("a bar's events are its own, and all of them", () => {
  for (const seed of seeds) {
    const log = random(seed, 400);
    const recording = recordingOf(log);
    for (const bar of recording.timeline().bars.filter(({ kind }) => kind === "call")) {
      const own = recording.eventsOf(bar).map(({ seq }) => seq);
      expect(own[0]).toBe(bar.from);
      const last = bar.end === null ? Infinity : bar.to;
      const mine = log.filter(
        ({ type, seq, data }) => type.startsWith("llm.") && "call" in data && data.call === bar.key && seq <= last,
      );
      expect(own).toEqual(mine.map(({ seq }) => seq));
    }
  }
});

test("nobody hears of a run whose connection is gone, and of one that is over there is nothing more to hear", () => {
  const { say, events } = written();
  say("run.started", 0, { model: "m", attempt: 1, tasks: [] });
  const recording = recordingOf(events);
  expect(recording.now()).toBeNull();
  recording.setOffset(50);
  expect(Math.abs(recording.now()! - (Date.now() - 50))).toBeLessThan(1_000);
  recording.setOffset(null);
  expect(recording.now()).toBeNull();
  recording.setOffset(50);
  const usage = { prompt_tokens: 0, completion_tokens: 0, calls: 0 };
  recording.push(
    say("run.cancelled", 5, { output: null, tasks: [], usage, seconds: 1, unapplied: [] }, { final: true }),
  );
  expect(recording.now()).toBeNull();
});

test("bars have a bound too: beyond it the timeline begins where the events do", () => {
  const { say, events } = written();
  const who = { task: "write", agent: "Ann", tid: "1.1" };
  const limits = { ...LIMITS, events: 2 * BLOCK, bars: 4 * BLOCK };
  const recording = createRecording(limits);
  for (let n = 0; n < 6 * BLOCK; n += 1) {
    recording.push(say("tool.started", 1, { call: `t${n}`, tool: "look", args: {} }, who));
    expect(recording.timeline().bars.length).toBeLessThanOrEqual(limits.bars);
    expect(recording.length).toBeLessThanOrEqual(limits.events);
  }
  expect(recording.timeline().start).toBeGreaterThan(events[BLOCK]!.ts);
});
