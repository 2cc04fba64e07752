import { describe, expect, test } from "vitest";
import {
  CREW_QUESTION,
  emptyRun,
  reduce,
  toResult,
  type OpenInput,
  type Part,
  type RunEvent,
  type RunView,
} from "../src/index.ts";
import { LIMITS } from "../src/view.ts";
import { logged, type Told } from "./told.ts";
import { eventsOf } from "./vectors.ts";

const view = (name: string): RunView => eventsOf(name).reduce(reduce, emptyRun);
const fold = (...told: readonly Told[]): RunView => logged(...told).reduce(reduce, emptyRun);

const PLANNED: Told = [
  "run.started",
  {},
  {
    model: "m",
    attempt: 1,
    tasks: [
      { name: "plan", agent: "Planner\n", tid: "1.1" },
      { name: "write", agent: "Writer", tid: "1.2" },
    ],
  },
];
const says = (tid: string, call: string, text: string, kind = "text"): Told => [
  "llm.delta",
  { tid, agent: tid === "1.1" ? "Planner\n" : "Writer" },
  { call, text, kind },
];
const begins = (tid: string): Told => ["task.started", { tid }, { name: tid, index: 1, of: 2 }];
const ends = (tid: string, output: string): Told => ["task.completed", { tid }, { output }];
const completed = (output: string | null): Told => [
  "run.completed",
  { final: true },
  { output, tasks: [], usage: emptyRun.usage, seconds: 1, unapplied: [] },
];
const words = ({ content }: { readonly content: readonly Part[] }) =>
  content.flatMap((part) =>
    part.type === "data" ? [] : part.type === "tool-call" ? [`tool: ${part.toolName}`] : [`${part.type}: ${part.text}`],
  );

const PLAN: readonly Told[] = [PLANNED, begins("1.1"), says("1.1", "a", "A plan"), ends("1.1", "A plan")];

describe("a view as message parts", () => {
  test("is a data part, what was thought and used in its order, and the words being written", () => {
    const middle = view("running in the middle of a reply, after two tool calls");
    const { content, status, metadata } = toResult(middle);
    expect(content).toEqual([
      { type: "data", name: "crew", data: middle },
      { type: "reasoning", text: "Content Planner\n\nI should count" },
      expect.objectContaining({
        type: "tool-call",
        toolCallId: "r_01jd:t1",
        toolName: "word_count",
        result: "3",
        isError: false,
      }),
      expect.objectContaining({ type: "tool-call", toolCallId: "r_01jd:t2", isError: true, args: {}, argsText: "{}" }),
      { type: "text", text: "A pl" },
    ]);
    expect(status).toBeUndefined();
    // Tasks in metadata.steps would count against assistant-ui's maxSteps.
    expect(metadata).toEqual({ custom: { run: "r_01jd" } });
  });

  test("has a question as a tool call that waits for its result, and has it once it is answered", () => {
    const question = (of: RunView) => toResult(of).content.find((part) => part.type === "tool-call");
    const asking = view("waiting for an answer");
    if (asking.state !== "waiting") throw new Error("it should be waiting");
    const { input, prompt, output, expires } = asking.input;
    expect(question(asking)).toMatchObject({
      toolCallId: `r_01jd:${input}`,
      toolName: CREW_QUESTION,
      args: { run: "r_01jd", input, prompt, output, expires },
    });
    expect(question(asking)).not.toHaveProperty("result");
    const told = (type: string, data: object) =>
      reduce(asking, { ...eventsOf("waiting for an answer").at(-1)!, seq: 99, type, data } as RunEvent);
    expect(question(told("input.answered", { input, text: "Shorter" }))).toMatchObject({
      result: "Shorter",
      isError: false,
    });
    expect(question(told("input.expired", { input }))).toMatchObject({ result: "expired", isError: true });
    const { options } = eventsOf("a flow's method asks, with options to choose from").at(-1)!.data as OpenInput;
    expect(question(view("a flow's method asks, with options to choose from"))).toMatchObject({ args: { options } });
  });

  test("of two runs have ids of their own, for a question's is unique in its run only", () => {
    const asked = eventsOf("waiting for an answer");
    const other = asked.map((event) => ({ ...event, run: "r_02" })).reduce(reduce, emptyRun);
    const ids = [view("waiting for an answer"), other].flatMap((of) =>
      toResult(of).content.flatMap((part) => (part.type === "tool-call" ? [part.toolCallId] : [])),
    );
    expect(ids).toEqual(["r_01jd:i_1", "r_02:i_1"]);
  });

  test.each([
    ["failed: crashed", "crashed", "The worker ended with signal 9."],
    ["interrupted", "interrupted", "The sidecar was stopped."],
  ])("%s: says so as text, which assistant-ui shows as it is, with its code beside", (name, code, message) => {
    expect(toResult(view(name))).toMatchObject({
      status: { type: "incomplete", reason: "error", error: message },
      metadata: { custom: { run: "r_01jd", error: { code, message } } },
    });
  });

  test.each([
    ["cancelled while queued", { type: "incomplete", reason: "cancelled" }],
    ["completed", { type: "complete", reason: "stop" }],
  ])("%s has its status", (name, status) => {
    expect(toResult(view(name))).toMatchObject({ status, metadata: { custom: { run: "r_01jd" } } });
  });
});

describe("reasoning", () => {
  test("keeps the words of those who wrote before, under their names, while another writes", () => {
    const live = fold(...PLAN, begins("1.2"), says("1.2", "b", "hm", "thinking"), says("1.2", "b", "A po"));
    expect(words(toResult(live))).toEqual(["reasoning: Planner\n\nA plan", "reasoning: Writer\n\nhm", "text: A po"]);
  });

  test.each([
    ["the output alone", "A post", ["reasoning: Planner\n\nA plan", "text: A post"]],
    [
      "it at the end of what was thought aloud",
      "Thought: I know.\nFinal Answer: A post\n",
      ["reasoning: Planner\n\nA plan", "reasoning: Writer\n\nThought: I know.\nFinal Answer:", "text: A post"],
    ],
    [
      "a word that only ends like it",
      "Not A post",
      ["reasoning: Planner\n\nA plan", "reasoning: Writer\n\nNot A post", "text: A post"],
    ],
  ])("does not repeat what the text says at the end: %s", (_, said, expected) => {
    const done = fold(...PLAN, begins("1.2"), says("1.2", "b", said), ends("1.2", "A post"), completed("A post"));
    expect(words(toResult(done))).toEqual(expected);
  });

  test("has the output of a task whose words were not streamed", () => {
    const done = fold(PLANNED, begins("1.1"), ends("1.1", "A plan"), begins("1.2"), ends("1.2", "It"), completed("It"));
    expect(words(toResult(done))).toEqual(["reasoning: Planner\n\nA plan", "text: It"]);
  });

  test("keeps what a run had written that was stopped", () => {
    const stopped = fold(...PLAN, begins("1.2"), says("1.2", "b", "A po"), [
      "run.cancelled",
      { final: true },
      { output: null, tasks: [], usage: emptyRun.usage, seconds: 1, unapplied: [] },
    ]);
    expect(words(toResult(stopped))).toEqual(["reasoning: Planner\n\nA plan", "reasoning: Writer\n\nA po", "text: "]);
  });

  test("is left out where it is not wanted, and the text may be another", () => {
    const live = fold(...PLAN, begins("1.2"), says("1.2", "b", "**A po**"));
    const text = ({ seq }: RunView) => `after ${seq}`;
    expect(words(toResult(live, { reasoning: false, text }))).toEqual([`text: after ${live.seq}`]);
  });
});

test("a message has a bound: of what was done no more than so many parts, the newest", () => {
  const steps = Array.from({ length: LIMITS.parts }, (_, n): Told[] => [
    says(`t${n}`, `a${n}`, `thought ${n}`),
    ["tool.started", { tid: `t${n}` }, { call: `b${n}`, tool: `tool ${n}`, args: {} }],
    ["task.completed", { tid: `t${n}` }, { output: "done" }],
  ]).flat();
  const parts = words(toResult(fold(["flow.started", { tid: "0" }, { name: "Book" }], ...steps)));
  expect(parts).toHaveLength(LIMITS.parts + 1);
  expect(parts.slice(-3)).toEqual([
    `reasoning: Writer\n\nthought ${LIMITS.parts - 1}`,
    `tool: tool ${LIMITS.parts - 1}`,
    "text: ",
  ]);
});

test("what has not changed is the very same part again, so that it is not shown anew", () => {
  const tool: Told = ["tool.started", { tid: "1.2" }, { call: "t", tool: "search", args: "tea" }];
  const asked: Told = ["input.requested", { tid: "1.2" }, { input: "i", prompt: "?", output: null, expires: null }];
  const events = logged(...PLAN, begins("1.2"), tool, asked, says("1.2", "b", "A post"));
  const before = events.slice(0, -1).reduce(reduce, emptyRun);
  const [old, now] = [before, reduce(before, events.at(-1)!)].map((of) => toResult(of).content.slice(1, -1));
  expect(old).toHaveLength(3);
  expect(now!.map((part, n) => part === old![n])).toEqual([true, true, true]);
});
