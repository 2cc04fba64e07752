import { expect, test } from "vitest";
import { costOf, costOfRun } from "../../example/components/timeline/cost.ts";
import { createFold } from "../../example/components/timeline/fold.ts";
import { written } from "./log.ts";

const prices = { currency: "USD", models: { dear: { input: 1_000_000, output: 2_000_000 } } };

function twoCalls(models: readonly [string, string]) {
  const { say, events } = written();
  const usage = { prompt_tokens: 1, completion_tokens: 1 };
  say("run.started", 0, { model: "dear", attempt: 1, tasks: [] });
  models.forEach((model, n) => {
    const who = { task: `t${n}`, agent: "Ann", tid: `1.${n}` };
    say("task.started", 1, { name: `t${n}`, index: 1, of: 2 }, who);
    say("llm.started", 1, { call: `c${n}`, model }, who);
    say("llm.completed", 1, { call: `c${n}`, usage, finish_reason: null }, who);
    say("task.completed", 1, { output: "" }, who);
  });
  const fold = createFold();
  for (const event of events) fold.push(event);
  return fold.timeline();
}

test("a call, a task and a run cost what the calls in them do", () => {
  const timeline = twoCalls(["dear", "dear"]);
  const of = (kind: string) =>
    timeline.bars.filter((bar) => bar.kind === kind).map((bar) => costOf(timeline, bar, prices));
  expect([of("call"), of("task"), of("attempt"), costOfRun(timeline, prices)]).toEqual([
    ["$3.00", "$3.00"],
    ["$3.00", "$3.00"],
    ["$6.00"],
    "$6.00",
  ]);
});

test("what has no price is not guessed, nor is what it is a part of", () => {
  const timeline = twoCalls(["dear", "unheard of"]);
  const of = (kind: string) =>
    timeline.bars.filter((bar) => bar.kind === kind).map((bar) => costOf(timeline, bar, prices));
  expect([of("task"), costOfRun(timeline, prices), costOfRun(timeline, null)]).toEqual([["$3.00", null], null, null]);
});
