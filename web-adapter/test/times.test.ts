import { describe, expect, test } from "vitest";
import { emptyRun, reduce, seconds, textOf, viewOf, type Frame, type RunView, type Span } from "../src/index.ts";
import { logged, type Told } from "./told.ts";
import { runs, snapshotOf } from "./vectors.ts";

const fold = (...told: readonly Told[]): RunView => logged(...told).reduce(reduce, emptyRun);
const span = ({ started, ended }: Span) => [started, ended];
const spans = ({ work }: RunView) => work.map((item) => [item.name, ...span(item)]);

const QUEUED: Told = ["run.queued", {}, { crew: "default", inputs: { message: "Tea" }, review: [], position: 0 }];
const PLANNED = (attempt = 1, second = "1.2", kept: readonly string[] = []): Told => [
  "run.started",
  {},
  {
    model: "m",
    attempt,
    kept,
    tasks: [
      { name: "plan", agent: "Planner", tid: "1.1" },
      { name: "write", agent: "Writer", tid: second },
    ],
  },
];
const begins = (tid: string, name: string): Told => ["task.started", { tid, task: name }, { name, index: 1, of: 2 }];
const ends = (tid: string): Told => ["task.completed", { tid }, { output: "done" }];
const call = (verb: "started" | "completed" | "delta", tid = "1.2"): Told => [
  `llm.${verb}`,
  { tid },
  { call: "c", text: "word", kind: "text", usage: null },
];
const over = (how: "completed" | "cancelled"): Told => [
  `run.${how}`,
  { final: true },
  {
    output: null,
    tasks: [{ name: "write", agent: "Writer", tid: "1.2", output: how === "completed" ? "done" : null }],
    usage: emptyRun.usage,
    seconds: 1,
    unapplied: [],
  },
];

describe("when it was", () => {
  test("is told of the run, of each task, of each model call and tool", () => {
    const view = fold(
      QUEUED,
      PLANNED(),
      begins("1.1", "plan"),
      ["tool.started", { tid: "1.1" }, { call: "t", tool: "search", args: {} }],
      ["tool.failed", { tid: "1.1" }, { call: "t", error: "no net" }],
      ends("1.1"),
      begins("1.2", "write"),
      call("started"),
      call("delta"),
      call("completed"),
    );
    expect([view.created, ...span(view)]).toEqual([1000, 2000, null]);
    expect(spans(view)).toEqual([
      ["plan", 3000, 6000],
      ["write", 7000, null],
    ]);
    expect(view.work.map(({ steps }) => steps.map(span))).toEqual([[[4000, 5000]], [[8000, 10_000]]]);
  });

  test.each([
    ["cancelled", "failed"],
    ["completed", "completed"],
  ] as const)("ends with the run for what was being done: %s", (how, state) => {
    const view = fold(PLANNED(), begins("1.2", "write"), call("started"), call("delta"), over(how));
    expect(span(view)).toEqual([1000, 5000]);
    expect(view.work[1]).toMatchObject({ state, started: 2000, ended: 5000 });
    expect(view.work[1]?.steps).toMatchObject([{ state, started: 3000, ended: 5000 }]);
    expect(spans(view)[0]).toEqual(["plan", null, null]);
  });

  test("is not made up where its beginning was evicted", () => {
    const view = fold(call("delta"), call("completed"), ends("1.2"), PLANNED(2));
    expect([view.created, ...span(view)]).toEqual([null, null, null]);
    const task = fold(call("delta"), call("completed"), ends("1.2")).work[0]!;
    expect([span(task), ...task.steps.map(span)]).toEqual([
      [null, 3000],
      [null, 2000],
    ]);
  });

  test("stays in a later attempt with the tasks that are kept, and begins anew with the others", () => {
    const view = fold(
      PLANNED(),
      begins("1.1", "plan"),
      ends("1.1"),
      begins("1.2", "write"),
      PLANNED(2, "2.1", ["plan"]),
      begins("2.1", "write"),
    );
    expect(span(view)).toEqual([1000, null]);
    expect(spans(view)).toEqual([
      ["plan", 2000, 3000],
      ["write", 6000, null],
    ]);
  });

  test("of a run that never began is that of its second attempt", () => {
    expect(span(fold(QUEUED, PLANNED(2)))).toEqual([2000, null]);
  });

  test("is not told of a task in a flow that an earlier attempt had finished", () => {
    const kept: Told = ["task.completed", { tid: "1.2", task: "write" }, { output: "done", kept: true }];
    expect(spans(fold(["flow.started", { tid: "1.1" }, { name: "Book" }], kept))).toEqual([
      ["Book", 1000, null],
      ["write", null, null],
    ]);
  });

  test("of crews, methods and flows, and of what happens in an instant", () => {
    const view = fold(
      ["flow.started", { tid: "1.1" }, { name: "Book" }],
      ["method.started", { tid: "1.2", in: "1.1" }, { name: "judge" }],
      ["event", { tid: "1.2" }, { kind: "party" }],
      ["method.failed", { tid: "1.2" }, { error: "no key" }],
      ["flow.failed", { tid: "1.1" }, { error: "no key" }],
    );
    expect(spans(view)).toEqual([
      ["Book", 1000, 5000],
      ["judge", 2000, 4000],
    ]);
    expect(view.work[1]?.steps.map(span)).toEqual([[3000, 3000]]);
  });

  test("is told of the state that it is in, and how long it stood in those where nothing is done", () => {
    const asked: Told = ["input.requested", {}, { input: "i_1", prompt: "Good?", output: null, expires: null }];
    const view = fold(
      QUEUED,
      PLANNED(),
      ["run.pausing", {}, {}],
      ["run.paused", {}, { boundary: "token" }],
      ["log", {}, { stream: "stdout", text: "late" }],
      ["run.resumed", {}, {}],
      ["run.pausing", {}, {}],
      ["run.paused", {}, { boundary: "token" }],
      ["run.resumed", {}, {}],
      asked,
    );
    expect([view.state, view.since, view.stood]).toEqual(["waiting", 10_000, { paused: 3000, waiting: 0 }]);
    const told = logged(...Array<Told>(12).fill(["input.answered", {}, { input: "i_1", text: "" }]));
    const answered = reduce(view, told[11]!);
    expect([answered.since, answered.stood]).toEqual([12_000, { paused: 3000, waiting: 2000 }]);
    expect(fold(QUEUED).since).toBeNull();
  });

  test("gives its length in seconds: while it goes on by the clock that is given, and none that is not known", () => {
    expect(seconds({ started: 1000, ended: 3500 })).toBe(2.5);
    expect(seconds({ started: 1000, ended: 3500 }, 9000)).toBe(2.5);
    expect(seconds({ started: 1000, ended: null }, 2500)).toBe(1.5);
    expect(seconds({ started: 1000, ended: null })).toBeNull();
    expect(seconds({ started: null, ended: 3500 }, 9000)).toBeNull();
    // A page whose clock is behind the worker's.
    expect(seconds({ started: 1000, ended: null }, 900)).toBe(0);
  });
});

describe("what a view says of its run", () => {
  const [queued, ...rest] = logged(["run.queued", {}, { ...QUEUED[2], thread: "t_1", after: "r_0" }], PLANNED(), [
    "log",
    {},
    { stream: "stdout", text: "hi" },
  ]);

  test("is its cursor, its inputs and its place in a conversation", () => {
    const view = reduce(emptyRun, queued!);
    expect(view).toMatchObject({ id: "k3f9-1", inputs: { message: "Tea" }, thread: "t_1", after: "r_0" });
    expect(rest.reduce(reduce, view)).toMatchObject({ id: "k3f9-3", seq: 3, thread: "t_1", after: "r_0" });
    expect(reduce(emptyRun, logged(QUEUED)[0]!)).toMatchObject({ thread: null, after: null });
  });

  test("is where it was forked, from its first event on", () => {
    const forked = { run: "r_0", task: "write" };
    const fork = logged(["run.queued", {}, { ...QUEUED[2], forked }], PLANNED());
    expect(fork.reduce(reduce, emptyRun).forked).toEqual(forked);
    expect(fold(QUEUED).forked).toBeNull();
    expect(viewOf({ ...snapshotOf("queued only"), forked }).forked).toEqual(forked);
  });

  test("moves its cursor with what changes nothing else, and takes it back with a reset", () => {
    const view = [queued!, ...rest].reduce(reduce, emptyRun);
    const odd = { ...rest[1]!, seq: 4, id: "k3f9-4", type: "run.party", data: {} } as unknown as Frame;
    expect(reduce(view, odd).id).toBe("k3f9-4");
    const reset = (reason: "epoch" | "evicted"): Frame => ({ type: "stream.reset", run: "r_told", reason, from: 1 });
    expect(reduce(view, reset("epoch")).id).toBeNull();
    expect(reduce(view, reset("evicted")).id).toBe("k3f9-3");
  });

  test("as text is what is being written, and at the end the output", () => {
    const live = fold(PLANNED(), begins("1.2", "write"), call("delta"));
    expect(textOf(live)).toBe("word");
    expect(textOf(fold(PLANNED(), begins("1.2", "write"), call("delta"), over("completed")))).toBe("");
  });
});

describe.each(runs.filter(({ events }) => events.length > 0))("a first view, of: $name", (vector) => {
  const whole = vector.events.reduce(reduce, emptyRun);
  const first = viewOf(snapshotOf(vector.name));

  test("shows what the run's own would, steps apart", () => {
    const shown = ({ state, tasks, model, usage, inputs, started, ended }: RunView) => [
      state,
      model,
      usage,
      inputs,
      started,
      ended,
      tasks.map(({ tid, name, agent, state, output }) => [tid, name, agent, state, output]),
    ];
    expect(shown(first)).toEqual(shown(whole));
    for (const key of ["output", "error", "input"] as const)
      expect(key in first && first[key as never]).toEqual(key in whole && whole[key as never]);
    expect(first.tasks.filter(({ in: inside }) => inside !== null)).toEqual([]);
    expect(first.notes.map(({ id, state }) => [id, state])).toEqual(
      whole.notes.filter(({ state }) => state === "open").map(({ id, state }) => [id, state]),
    );
  });

  test("gives way to the run's own with its first event", () => {
    expect(first.id).toBeNull();
    expect(vector.events.reduce(reduce, first)).toEqual(whole);
  });
});

test("a run that is being started waits as yet", () => {
  expect(viewOf({ ...snapshotOf("queued only"), state: "starting" })).toMatchObject({ state: "queued", position: 0 });
});
