import { expect, test } from "vitest";
import { answerOf, outputsOf } from "../example/components/answer.ts";
import { mayFold, needsReading } from "../example/components/folding.ts";
import { lasting, workedLine } from "../example/components/worked.ts";
import { emptyRun, reduce, type RunEvent, type RunView } from "../src/index.ts";
import { eventsOf } from "./vectors.ts";

type Told = readonly [type: string, data: object, of?: object];

const PLAN = { task: "make_plan", tid: "1.1", agent: "Planner" };
const TEXT = { task: "write_text", tid: "1.2", agent: "Writer" };
const TASKS = [PLAN, TEXT].map(({ task: name, tid, agent }) => ({ name, tid, agent }));

const fold = (...told: readonly Told[]): RunView =>
  told
    .map(([type, data, of], n) => ({ type, data, ...of, seq: n + 1, id: `${n + 1}`, run: "r", ts: 1_000 * (n + 1) }))
    .reduce<RunView>((view, event) => reduce(view, event as unknown as RunEvent), emptyRun);

const STARTED: Told = ["run.started", { model: "m", attempt: 1, tasks: TASKS }];
const PLANNED: readonly Told[] = [
  STARTED,
  ["task.started", { name: "make_plan", index: 1, total: 2 }, PLAN],
  ["llm.delta", { call: "a", kind: "text", text: "A plan" }, PLAN],
  ["task.completed", { name: "make_plan", output: "A plan" }, PLAN],
  ["task.started", { name: "write_text", index: 2, total: 2 }, TEXT],
];
const said = (call: string, text: string): Told => ["llm.delta", { call, kind: "text", text }, TEXT];
const completed = (output: string | null): Told => [
  "run.completed",
  { output, tasks: [], usage: { prompt_tokens: 2_000, completion_tokens: 310, calls: 3 } },
  { final: true },
];

test("the last task's words stand where the answer will, from the first one to the end", () => {
  expect(answerOf(fold(STARTED))).toBeUndefined();
  expect(answerOf(fold(...PLANNED))).toBeUndefined();
  const writing = answerOf(fold(...PLANNED, said("b", "So ")));
  expect(writing).toMatchObject({ text: "So ", call: "b", from: "b", tid: "1.2", state: "writing" });
  const whole = answerOf(
    fold(
      ...PLANNED,
      said("b", "So be it"),
      ["llm.completed", { call: "b" }, TEXT],
      ["task.completed", { name: "write_text", output: "So be it" }, TEXT],
      completed("So be it"),
    ),
  );
  expect(whole).toMatchObject({ text: "So be it", call: "b", from: "b", tid: "1.2", state: "whole" });
});

test("words that a tool was used after are no answer, and those behind it are", () => {
  const used: Told = ["tool.started", { call: "t", tool: "look", args: {} }, TEXT];
  expect(answerOf(fold(...PLANNED, said("b", "Let me look"), used))).toBeUndefined();
  expect(answerOf(fold(...PLANNED, said("b", "Let me look"), used, said("c", "It is")))).toMatchObject({ call: "c" });
});

test("while another task is at work beside it the last one's words stay with it", () => {
  const both: readonly Told[] = [
    STARTED,
    ["task.started", { name: "make_plan", index: 1, total: 2 }, PLAN],
    ["task.started", { name: "write_text", index: 2, total: 2 }, TEXT],
    said("b", "So"),
  ];
  expect(answerOf(fold(...both))).toBeUndefined();
  expect(answerOf(fold(...both, ["task.completed", { name: "make_plan", output: "A" }, PLAN]))).toMatchObject({
    call: "b",
  });
});

test("what the run gives in other words leaves the words that were heard with the task", () => {
  const run = fold(...PLANNED, said("b", "Thought: hm. Final: Yes"), completed("Yes"));
  expect(answerOf(run)).toMatchObject({ text: "Yes", call: null, from: "b", notes: [] });
});

test("a question about the last words stands below them", () => {
  const asked: Told = ["input.requested", { input: "q", prompt: "Good?", output: "So", expires: null }, TEXT];
  expect(answerOf(fold(...PLANNED, said("b", "So"), asked))!.notes).toMatchObject([{ id: "q", after: "b" }]);
});

test("words that were cut off stay where they are", () => {
  const failed: Told = ["llm.failed", { call: "b", error: "gone" }, TEXT];
  expect(answerOf(fold(...PLANNED, said("b", "So"), failed))).toMatchObject({ call: "b", state: "cut off" });
});

test("a structure is code from its first character, and a list of links is none", () => {
  const text = (words: string) => answerOf(fold(...PLANNED, said("b", words)))!.text;
  expect(text('{"a": ')).toBe('```json\n{"a": ');
  expect(text('[{"a')).toBe('```json\n[{"a');
  expect(text("[a link](x)")).toBe("[a link](x)");
});

test("what the other tasks gave is there by their names", () => {
  const run = fold(...PLANNED, said("b", "So"));
  expect(outputsOf(run, answerOf(run)!)).toEqual([{ tid: "1.1", name: "make_plan", agent: "Planner", text: "A plan" }]);
});

test("an agent without tasks answers in words of its own, and of a flow nobody knows which are the last", () => {
  const alone: Told = ["run.started", { model: "m", attempt: 1, tasks: [] }];
  const words: Told = ["llm.delta", { call: "a", kind: "text", text: "Hi" }];
  expect(answerOf(fold(alone, words))).toMatchObject({ call: "a", tid: null });
  const flow: Told = ["flow.started", { name: "Book" }, { tid: "1" }];
  expect(answerOf(fold(alone, flow, ["llm.delta", { call: "a", kind: "text", text: "Hi" }, { tid: "1" }]))).toBe(
    undefined,
  );
});

test.each([
  [0.04, "< 0.1 s"],
  [0.84, "0.8 s"],
  [0.97, "1 s"],
  [16.4, "16 s"],
  [59.7, "1 min"],
  [125, "2 min 5 s"],
  [3_780, "1 h 3 min"],
  [7_200, "2 h"],
])("%d s are told as %s", (s, told) => {
  expect(lasting(s)).toBe(told);
});

test("what a run took is one line, without what is not known", () => {
  const tool: Told = ["tool.started", { call: "t", tool: "look", args: {} }, TEXT];
  const again: Told = ["tool.started", { call: "u", tool: "look", args: {} }, TEXT];
  const run = fold(...PLANNED, tool, again, said("b", "So"), completed("So"));
  expect(workedLine(run)).toBe("Worked 8 s · 2 agents · 1 tool · 2,310 tokens");
  expect(workedLine(fold(STARTED), 4_000)).toBe("Working 3 s");
  expect(workedLine(fold(...PLANNED), 6_000)).toBe("Working 5 s · 2 agents");
});

const PLACE = { rail: { top: -300, bottom: 200 }, below: 220, window: { top: 60, bottom: 800 }, held: false };

test.each([
  ["the answer is in sight", PLACE, true],
  ["the rail is above all that is", { ...PLACE, rail: { top: -900, bottom: -10 }, below: 10 }, true],
  ["the rail is read and the answer is far below", { ...PLACE, rail: { top: -300, bottom: 900 }, below: 920 }, false],
  ["the page is scrolled to what was said before", { ...PLACE, rail: { top: 900, bottom: 1_400 }, below: 1_420 }, true],
  ["something in it has the focus", { ...PLACE, held: true }, false],
])("whether the rail may fold: %s", (_, sight, may) => {
  expect(mayFold(sight)).toBe(may);
});

test("only a run that went as it was meant to folds", () => {
  expect(needsReading(fold(...PLANNED))).toBe(true);
  expect(needsReading(fold(...PLANNED, completed("x")))).toBe(false);
  expect(
    needsReading(fold(...PLANNED, ["task.failed", { name: "write_text", error: "no" }, TEXT], completed("x"))),
  ).toBe(true);
  const steered: Told = ["run.modifying", { instruction: "Shorter" }];
  expect(needsReading(fold(...PLANNED, steered, completed("x")))).toBe(true);
  expect(needsReading(fold(...PLANNED, steered, ["run.cancelled", { output: null, tasks: [] }, { final: true }]))).toBe(
    true,
  );
  for (const event of [eventsOf("completed")])
    expect(needsReading(event.reduce<RunView>(reduce, emptyRun))).toBe(false);
});
