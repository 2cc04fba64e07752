import { expect, test } from "vitest";
import { askerOf, phaseOf, placeInLine, soFar } from "../example/components/phase.ts";
import { triedIn, type Retrying } from "../example/components/retrying.ts";
import { changeOf, TO_ALL } from "../example/components/Steering.tsx";
import { emptyRun, type RunView, type TaskView } from "../src/index.ts";

const task: TaskView = {
  kind: "task",
  tid: "t_1",
  name: "create_plan",
  agent: "Content Planner",
  in: null,
  after: null,
  state: "running",
  steps: [],
  output: null,
  error: null,
  started: 1_000,
  ended: null,
};
const later: TaskView = { ...task, tid: "t_2", name: "research", agent: "Researcher", state: "pending", started: null };
const running = (...tasks: readonly TaskView[]): RunView => ({
  ...emptyRun,
  run: "r_1",
  state: "running",
  started: 1_000,
  tasks,
  work: tasks,
});
const retry: Retrying = { attempt: 1, wait: 8, status: 429, reason: "rate limit", ts: 10_000 };

test("who works is told with how far they are, and what they wait for with why", () => {
  expect(phaseOf(running(task, later))).toEqual({ title: "Content Planner is working", detail: "task 1 of 2" });
  const call = {
    kind: "call",
    id: "c",
    state: "running",
    agent: null,
    text: "",
    thinking: "",
    thought: null,
    retry,
  } as const;
  const waiting = running({ ...task, steps: [{ ...call, started: 10_000, ended: null }] });
  expect(phaseOf(waiting)).toEqual({
    title: "Content Planner waits for the model",
    detail: "its provider asks to wait",
  });
  expect(triedIn(retry, 10_000)).toBe("trying again in 8 s");
  expect(triedIn(retry, 17_500)).toBe("trying again in 1 s");
  expect(triedIn(retry, 20_000)).toBe("trying again");
  expect(triedIn({ ...retry, wait: null }, 10_000)).toBe("trying again");
});

test("a place in line is how many are ahead", () => {
  expect([1, 2, 3, 1_201].map(placeInLine)).toEqual([
    "next in line",
    "1 run ahead",
    "2 runs ahead",
    "1,200 runs ahead",
  ]);
  expect(phaseOf({ ...emptyRun, state: "queued", position: 3 })).toEqual({ title: "Queued", detail: "2 runs ahead" });
  expect(phaseOf(emptyRun)).toEqual({ title: "Starting…" });
});

test("time so far is what was worked: no pause and no open question, and nothing before it began", () => {
  const run = running(task);
  expect(soFar(run, 13_900)).toEqual(["12 s"]);
  expect(soFar({ ...run, stood: { paused: 4_000, waiting: 3_000 } }, 13_900)).toEqual(["5 s"]);
  const usage = { prompt_tokens: 1_200, completion_tokens: 34, calls: 2 };
  expect(soFar({ ...run, usage }, 126_000)).toEqual(["2 min 5 s", "1,234 tokens"]);
  expect(soFar({ ...run, started: null }, 13_000)).toEqual([]);
});

test("whoever asks is called by their role, a flow's method by its name, and nobody 'The crew'", () => {
  const question = { kind: "question", id: "i", state: "open", after: null, prompt: "?", output: null } as const;
  const asks = { ...question, in: "t_1", expires: null, text: null };
  expect(askerOf({ ...running(task), notes: [asks] })).toBe("Content Planner");
  expect(askerOf({ ...running(), notes: [{ ...asks, in: null, method: "review_it" }] })).toBe("review it");
  expect(askerOf({ ...running(), notes: [{ ...asks, in: null }] })).toBe("The crew");
});

test("an instruction goes to whom it was for, as far as there is anybody, and cuts off only what is written", () => {
  const run = running(task, later);
  expect(changeOf("Tea", TO_ALL, run)).toEqual({ instruction: "Tea" });
  expect(changeOf("Tea", { task: "", now: true }, run)).toEqual({ instruction: "Tea", now: true });
  expect(changeOf("Tea", { task: "t_1", now: true }, run)).toEqual({ instruction: "Tea", task: "t_1", now: true });
  expect(changeOf("Tea", { task: "t_2", now: true }, run)).toEqual({ instruction: "Tea", task: "t_2" });
  // It has ended meanwhile.
  expect(changeOf("Tea", { task: "t_0", now: false }, run)).toEqual({ instruction: "Tea" });
});
