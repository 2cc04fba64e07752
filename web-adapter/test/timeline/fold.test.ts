import { expect, test } from "vitest";
import { reduce, emptyRun, type RunEvent } from "../../src/index.ts";
import { createFold } from "../../example/components/timeline/fold.ts";
import { recordingOf } from "../../example/components/timeline/recording.ts";
import { runs } from "../vectors.ts";
import { endsOf, endsOfBars, sorted } from "./ends.ts";
import { random, written } from "./log.ts";

function timelineOf(events: readonly RunEvent[]) {
  const fold = createFold();
  for (const event of events) fold.push(event);
  return fold.timeline();
}

test.each(runs)("every bar of a run ends where the log says: $name", ({ events }) => {
  const log = unrepeated(events);
  expect(sorted(endsOfBars(timelineOf(events).bars))).toEqual(sorted(endsOf(log)));
});

const unrepeated = (events: readonly RunEvent[]) =>
  events.filter(({ seq }, n) => events.slice(0, n).every((one) => one.seq < seq));

test.each(runs)("told bit by bit and looked at each time it comes to the same: $name", ({ events }) => {
  const fold = createFold();
  for (const event of events) {
    fold.push(event);
    fold.timeline();
  }
  expect(fold.timeline()).toEqual(timelineOf(events));
});

test.each(runs)("a moment is the run by the events until then: $name", ({ events }) => {
  const recording = recordingOf(events);
  for (const at of [0, ...events.flatMap(({ ts }) => [ts - 1, ts])])
    expect(recording.viewAt(at)).toEqual(events.filter(({ ts }) => ts <= at).reduce(reduce, emptyRun));
});

const seeds = Array.from({ length: 40 }, (_, n) => n + 1);

test.each(seeds)("every bar ends where the log says, in a run that nobody thought out: %i", (seed) => {
  const log = random(seed, 400);
  const { bars, start, end } = timelineOf(log);
  expect(sorted(endsOfBars(bars))).toEqual(sorted(endsOf(log)));
  expect([start, end]).toEqual([Math.min(...log.map(({ ts }) => ts)), Math.max(...log.map(({ ts }) => ts))]);
});

test.each(seeds)("what is open is told as far as it came, at whatever event one looks: %i", (seed) => {
  const log = random(seed, 120);
  const fold = createFold();
  log.forEach((event, n) => {
    fold.push(event);
    expect(sorted(endsOfBars(fold.timeline().bars))).toEqual(sorted(endsOf(log.slice(0, n + 1))));
  });
});

test("bars of one lane do not overlap, and are as many as can be at once", () => {
  const { say, events } = written();
  const who = { task: "write", agent: "Ann", tid: "1.1" };
  say("run.started", 0, { model: "m", attempt: 1, tasks: [{ name: "write", agent: "Ann", tid: "1.1" }] });
  say("task.started", 1, { name: "write", index: 1, of: 1 }, who);
  for (const call of ["a", "b", "c"]) say("tool.started", 1, { call, tool: "look", args: {} }, who);
  say("tool.completed", 1, { call: "b", output: "", seconds: 0 }, who);
  say("tool.started", 1, { call: "d", tool: "look", args: {} }, who);
  const row = timelineOf(events).rows.find(({ id }) => id === "1.1")!;
  expect(row.bars.filter(({ kind }) => kind === "tool").map(({ key, lane }) => [key, lane])).toEqual([
    ["a", 0],
    ["b", 1],
    ["c", 2],
    ["d", 1],
  ]);
  expect(row.lanes).toBe(3);
});

test("a call that has to wait for its provider has each wait as a bar, and says how often it tried", () => {
  const { say, events } = written();
  const who = { task: "write", agent: "Ann", tid: "1.1" };
  say("run.started", 0, { model: "m", attempt: 1, tasks: [{ name: "write", agent: "Ann", tid: "1.1" }] });
  say("llm.started", 10, { call: "c", model: "m" }, who);
  const first = say("llm.retrying", 20, { call: "c", attempt: 1, wait: 2, status: 429, reason: "too many" }, who);
  const second = say("llm.retrying", 30, { call: "c", attempt: 2, wait: 4, status: 429, reason: "too many" }, who);
  const token = say("llm.delta", 40, { call: "c", text: "w", kind: "text" }, who);
  const { bars } = timelineOf(events);
  expect(bars.filter(({ kind }) => kind === "retry").map(({ start, end, label }) => [start, end, label])).toEqual([
    [first.ts, second.ts, "too many"],
    [second.ts, token.ts, "too many"],
  ]);
  expect(bars.find(({ kind }) => kind === "call")).toMatchObject({ retries: 2, first: token.ts, end: null });
});

test("tasks that were done before have no time, and are called kept", () => {
  const { say, events } = written();
  const forked = { run: "r_0", task: "write" };
  const tasks = [
    { name: "plan", agent: "Ann", tid: "0.1", output: "A plan" },
    { name: "write", agent: "Ben", tid: "1.1" },
    { name: "check", agent: "Cid", tid: "1.2" },
  ];
  say("run.started", 0, { model: "m", attempt: 1, tasks, kept: ["plan"], forked });
  say("task.started", 1, { name: "write", index: 2, of: 3 }, { task: "write", agent: "Ben", tid: "1.1" });
  const told = () => timelineOf(events).rows.map(({ id, state, bars }) => [id, state, bars.length]);
  expect(told()).toEqual([
    ["", "running", 1],
    ["0.1", "kept", 0],
    ["1.1", "running", 1],
    ["1.2", "pending", 0],
  ]);
  say("run.started", 5_000, {
    model: "m",
    attempt: 2,
    tasks: [tasks[0]!, { name: "write", agent: "Ben", tid: "2.1" }, { name: "check", agent: "Cid", tid: "2.2" }],
    kept: ["plan"],
    forked,
  });
  // What was begun stays where it was cut off; what never was comes again.
  expect(told()).toEqual([
    ["", "running", 3],
    ["0.1", "kept", 0],
    ["1.1", "cut", 1],
    ["2.1", "pending", 0],
    ["2.2", "pending", 0],
  ]);
});

test("a beginning that is no longer in the log is not made up: a bar begins where it was first heard of", () => {
  const { say, events } = written();
  const who = { task: "write", agent: "Ann", tid: "1.1" };
  const token = say("llm.delta", 0, { call: "c", text: "w", kind: "text" }, who);
  const end = say("llm.completed", 9, { call: "c", usage: null, finish_reason: null }, who);
  const done = say("task.completed", 1, { output: "w" }, who);
  expect(timelineOf(events).bars.map(({ kind, whole, start, end: to }) => [kind, whole, start, to])).toEqual([
    ["call", false, token.ts, end.ts],
    ["task", false, done.ts, done.ts],
  ]);
});

test("an agent that is asked by another has a row in the task's, whose tokens are the task's too", () => {
  const { say, events } = written();
  const who = { task: "write", agent: "Ann", tid: "1.1" };
  const asked = { ...who, agent: "Ben" };
  say("run.started", 0, { model: "m", attempt: 1, tasks: [{ name: "write", agent: "Ann", tid: "1.1" }] });
  say("task.started", 1, { name: "write", index: 1, of: 1 }, who);
  say("tool.started", 1, { call: "t", tool: "Ask question to coworker", args: {} }, who);
  say("agent.started", 1, { role: "Ben" }, asked);
  say("llm.started", 1, { call: "c", model: "m" }, asked);
  const usage = { prompt_tokens: 5, completion_tokens: 2 };
  say("llm.completed", 1, { call: "c", usage, finish_reason: null }, asked);
  const spent = { prompt: 5, completion: 2, cached: 0 };
  expect(timelineOf(events).rows).toMatchObject([
    { kind: "run" },
    { kind: "task", label: "Ann", depth: 0, tokens: spent, calls: 1 },
    {
      kind: "agent",
      label: "Ben",
      depth: 1,
      tokens: spent,
      calls: 1,
      bars: [{ kind: "agent", tokens: spent }, { kind: "call" }],
    },
  ]);
});

test("how long was waited for what: side by side counts once, and a pause is nobody's", () => {
  const { say, events } = written();
  const who = { task: "write", agent: "Ann", tid: "1.1" };
  say("run.started", 0, { model: "m", attempt: 1, tasks: [] });
  say("llm.started", 100, { call: "a", model: "m" }, who);
  say("llm.started", 100, { call: "b", model: "m" }, who);
  say("run.paused", 100, { boundary: "token" });
  say("run.resumed", 1_000, {});
  say("llm.completed", 100, { call: "a", usage: null, finish_reason: null }, who);
  say("llm.completed", 100, { call: "b", usage: null, finish_reason: null }, who);
  say("tool.started", 100, { call: "t", tool: "look", args: {} }, who);
  say("tool.completed", 100, { call: "t", output: "", seconds: 0 }, who);
  const { models, tools, people, paused } = timelineOf(events);
  expect([models.ms, tools.ms, people.ms, paused.ms]).toEqual([400, 100, 0, 1_000]);
});

test("where nothing went on for a while is a bar, a moment between two steps is not", () => {
  const { say, events } = written();
  const who = { task: "write", agent: "Ann", tid: "1.1" };
  const begun = say("run.started", 0, { model: "m", attempt: 1, tasks: [] });
  const call = say("llm.started", 900, { call: "a", model: "m" }, who);
  say("llm.completed", 100, { call: "a", usage: null, finish_reason: null }, who);
  say("tool.started", 20, { call: "t", tool: "look", args: {} }, who);
  const gaps = timelineOf(events).bars.filter(({ kind }) => kind === "gap");
  expect(gaps.map(({ start, end }) => [start, end])).toEqual([[begun.ts, call.ts]]);
});
