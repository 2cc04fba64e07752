import { describe, expect, test } from "vitest";
import { emptyRun, reduce, type RunEvent, type RunView, type WorkView } from "../src/index.ts";
import { LIMITS } from "../src/view.ts";
import { logged, type Told } from "./told.ts";

const fold = (...told: readonly Told[]): RunView => logged(...told).reduce(reduce, emptyRun);

/** Names as a tree, with what was written where. */
function drawn(view: RunView, within: string | null = null): unknown[] {
  return view.work
    .filter((item) => item.in === within)
    .map((item) => [`${item.kind} ${item.name}`, item.state, ...words(item), ...drawn(view, item.tid)]);
}
const words = ({ steps }: Pick<WorkView, "steps">) =>
  steps.flatMap((step) => (step.kind === "call" ? [step.text] : []));

const says = (tid: string, text: string, more: object = {}): Told => [
  "llm.delta",
  { tid, ...more },
  { call: `${tid} ${text}`, text, kind: "text" },
];
const crew = (tid: string, inside: string, name = "Writers"): Told => [
  "crew.started",
  { tid, in: inside },
  { name, tasks: [] },
];
const task = (tid: string, inside: string, agent = "Writer", name = "task_1"): Told => [
  "task.started",
  { tid, in: inside, task: name, agent },
  { name, index: 1, of: 1 },
];
const method = (tid: string, name: string, flow = "1.1"): Told => ["method.started", { tid, in: flow }, { name }];
const flow: Told = ["flow.started", { tid: "1.1" }, { name: "Book" }];
const ends = (what: "task" | "crew" | "method" | "flow", tid: string, data: object = { output: "done" }): Told => [
  `${what}.completed`,
  { tid },
  data,
];

describe("executions", () => {
  test("of one name are two: each has its own words, output and agent", () => {
    const { tasks } = fold(
      ["run.started", {}, { model: "m", attempt: 1, tasks: [] }],
      crew("1.1", ""),
      crew("1.3", ""),
      task("1.2", "1.1", "Left"),
      task("1.4", "1.3", "Right"),
      says("1.2", "from the left", { in: "1.1", task: "task_1" }),
      says("1.4", "from the right", { in: "1.3", task: "task_1" }),
      ends("task", "1.4", { output: "right" }),
    );
    expect(tasks).toMatchObject([
      { tid: "1.2", name: "task_1", agent: "Left", state: "running", output: null, steps: [{ text: "from the left" }] },
      { tid: "1.4", name: "task_1", agent: "Right", state: "completed", output: "right" },
    ]);
  });

  test("stand inside each other: a flow's methods, their crews, their tasks", () => {
    const view = fold(
      flow,
      method("1.2", "outline"),
      says("1.2", "an outline", { in: "1.1", method: "outline" }),
      ends("method", "1.2"),
      method("1.3", "write"),
      crew("1.4", "1.3"),
      task("1.5", "1.4"),
      says("1.5", "a chapter", { in: "1.4", method: "write", task: "task_1" }),
    );
    expect(drawn(view)).toEqual([
      [
        "flow Book",
        "running",
        ["method outline", "completed", "an outline"],
        ["method write", "running", ["crew Writers", "running", ["task task_1", "running", "a chapter"]]],
      ],
    ]);
  });

  test("of a loop are one per round, and a router says where it went", () => {
    const round = (n: number, route: string): Told[] => [
      method(`1.${n}`, "judge"),
      ends("method", `1.${n}`, { output: route, route }),
    ];
    const { work } = fold(flow, ...round(2, "again"), ...round(3, "publish"));
    expect(work.slice(1)).toMatchObject([
      { kind: "method", name: "judge", route: "again", state: "completed" },
      { kind: "method", name: "judge", route: "publish", state: "completed" },
    ]);
  });

  test("that failed say why, and the ones cut off at the end have failed", () => {
    const view = fold(
      flow,
      method("1.2", "a"),
      method("1.3", "b"),
      ["method.failed", { tid: "1.2" }, { error: "No key" }],
      ["run.failed", { final: true }, { ...ENDING, error: { code: "error", message: "No key" } }],
    );
    expect(view.work).toMatchObject([
      { name: "Book", state: "failed", error: null },
      { name: "a", state: "failed", error: "No key" },
      { name: "b", state: "failed", error: null },
    ]);
  });

  test("a crew's tasks are there before they begin, and begin in their places", () => {
    const planned: Told = [
      "crew.started",
      { tid: "1.1" },
      { name: "Writers", tasks: ["1.2", "1.3"].map((tid) => ({ tid, name: "task_1", agent: "Writer" })) },
    ];
    const before = fold(planned);
    expect(before.tasks).toMatchObject([
      { tid: "1.2", in: "1.1", state: "pending" },
      { tid: "1.3", in: "1.1", state: "pending" },
    ]);
    expect(fold(planned, task("1.2", "1.1", "Editor")).tasks).toMatchObject([
      { tid: "1.2", in: "1.1", state: "running", agent: "Editor" },
      { tid: "1.3", state: "pending" },
    ]);
  });

  test("begun by a tool stand behind the tool that began them", () => {
    const { work } = fold(
      PLANNED(),
      task("1.1", "", "Planner", "plan"),
      ["tool.started", { tid: "1.1", task: "plan" }, { call: "t1", tool: "ask_crew", args: {} }],
      crew("1.3", "1.1"),
      says("1.1", "later", { task: "plan" }),
    );
    expect(work.at(-1)).toMatchObject({ kind: "crew", in: "1.1", after: "t1" });
  });

  test("whose beginning was evicted are learnt from what is left, and take their names once they are told", () => {
    const view = fold(
      says("1.7", "Hel", { in: "1.2", task: "draft", agent: "Writer" }),
      says("1.8", "lo", { in: "1.1", method: "judge" }),
      says("1.9", "!", {}),
      ["crew.started", { tid: "1.9" }, { name: "Late", tasks: [] }],
    );
    expect(view.state).toBe("running");
    expect(drawn(view)).toEqual([
      ["task draft", "pending", "Hel"],
      ["method judge", "running", "lo"],
      ["crew Late", "running", "!"],
    ]);
  });

  test("have a bound: beyond it the oldest that has ended goes, with all inside it", () => {
    const rounds = Array.from({ length: LIMITS.work / 2 + 10 }, (_, n): Told[] => [
      method(`m${n}`, "round"),
      task(`t${n}`, `m${n}`),
      ends("task", `t${n}`),
      ends("method", `m${n}`),
    ]).flat();
    const { work } = fold(flow, ...rounds);
    expect(work.length).toBeLessThanOrEqual(LIMITS.work);
    expect(work[0]).toMatchObject({ kind: "flow", state: "running" });
    expect(work.at(-1)).toMatchObject({ tid: `t${LIMITS.work / 2 + 9}` });
    const known = new Set<string | null>([null, ...work.map(({ tid }) => tid)]);
    expect(work.filter((item) => !known.has(item.in))).toEqual([]);
  });
});

const PLANNED = (attempt = 1, first = "1.1", second = "1.2", kept: readonly string[] = []): Told => [
  "run.started",
  {},
  {
    model: "m",
    attempt,
    kept,
    tasks: [
      { name: "plan", agent: "Planner", tid: first },
      { name: "write", agent: "Writer", tid: second },
    ],
  },
];
const ENDING = { output: null, tasks: [], usage: emptyRun.usage, seconds: 1, unapplied: [] };

describe("a later attempt", () => {
  const first = [
    PLANNED(),
    task("1.1", "", "Planner", "plan"),
    crew("1.3", "1.1"),
    task("1.4", "1.3"),
    says("1.4", "kept", { task: "task_1" }),
    ends("task", "1.4"),
    ends("crew", "1.3"),
    ends("task", "1.1", { output: "a plan" }),
    task("1.2", "", "Writer", "write"),
    crew("1.5", "1.2"),
    says("1.2", "dropped", { task: "write" }),
    ["run.modifying", { cause: "c-1", tid: "1.2" }, { instruction: "Shorter" }],
  ] as const;

  test("keeps a task by its tid, with all inside it, and drops all else", () => {
    const view = fold(...first, PLANNED(2, "1.1", "2.1", ["plan"]));
    expect(drawn(view)).toEqual([
      ["task plan", "completed", ["crew Writers", "completed", ["task task_1", "completed", "kept"]]],
      ["task write", "pending"],
    ]);
    expect(view.tasks.map(({ tid }) => tid)).toEqual(["1.1", "2.1", "1.4"]);
  });

  test("keeps the one of two of a name that has the tid", () => {
    const twice = (attempt: number, second: string, kept: readonly string[] = []): Told => [
      "run.started",
      {},
      {
        model: "m",
        attempt,
        kept,
        tasks: ["1.1", second].map((tid) => ({ name: "task_1", agent: "Writer", tid })),
      },
    ];
    const { tasks } = fold(
      twice(1, "1.2"),
      task("1.1", ""),
      ends("task", "1.1", { output: "first" }),
      task("1.2", ""),
      twice(2, "2.1", ["task_1"]),
    );
    expect(tasks).toMatchObject([
      { tid: "1.1", state: "completed", output: "first" },
      { tid: "2.1", state: "pending", output: null },
    ]);
  });

  test("has what was said to a task that begins again at that task", () => {
    const { notes } = fold(...first, PLANNED(2, "1.1", "2.1", ["plan"]));
    expect(notes).toMatchObject([{ id: "c-1", in: "2.1", after: null }]);
  });
});

describe("beside a crew's plan", () => {
  const planner: Told = [
    "task.started",
    { tid: "1.9", task: "task_1", agent: "Planner" },
    { name: "task_1", index: 1, of: 1 },
  ];

  test("a task that is in nothing is a helper's, as its planner is: shown, but no task of the run", () => {
    const { work, tasks } = fold(PLANNED(), planner, says("1.9", "step by step", { task: "task_1" }), [
      "run.completed",
      { final: true },
      { ...ENDING, output: "" },
    ]);
    expect(tasks.map(({ tid }) => tid)).toEqual(["1.1", "1.2"]);
    expect(work.at(-1)).toMatchObject({
      kind: "helper",
      tid: "1.9",
      agent: "Planner",
      steps: [{ text: "step by step" }],
    });
  });

  test("the planned ones stay whatever comes to light", () => {
    const plan = ["1.1", "1.2"];
    const crews = Array.from({ length: LIMITS.work + 10 }, (_, n): Told[] => [
      crew(`c${n}`, "1.1"),
      ends("crew", `c${n}`),
    ]);
    const { tasks } = fold(PLANNED(), ...plan.map((tid) => ends("task", tid)), ...crews.flat());
    expect(tasks).toMatchObject(plan.map((tid) => ({ tid, state: "completed" })));
  });
});

describe("the final event", () => {
  test("gives its outputs by tid, and adds those that were never heard of where they belong", () => {
    const view = fold(flow, crew("1.2", "1.1"), task("1.3", "1.2"), [
      "run.completed",
      { final: true },
      {
        ...ENDING,
        output: "two",
        tasks: [
          { name: "task_1", agent: "Left", output: "one", tid: "1.3", in: "1.2" },
          { name: "task_1", agent: "Right", output: "two", tid: "1.4", in: "1.2" },
        ],
      },
    ]);
    expect(drawn(view)).toEqual([
      [
        "flow Book",
        "completed",
        ["crew Writers", "completed", ["task task_1", "completed"], ["task task_1", "completed"]],
      ],
    ]);
    expect(view.tasks.map(({ output }) => output)).toEqual(["one", "two"]);
  });
});

describe("asides", () => {
  const at = { tid: "1.1", task: "plan", agent: "Planner" };

  test("stand among the steps: a guardrail that sent work back says why", () => {
    const [plan] = fold(
      PLANNED(),
      says("1.1", "a plan", at),
      ["guardrail.started", at, { retry: 0 }],
      ["guardrail.completed", at, { retry: 0, success: false, error: "Too long" }],
      says("1.1", "a shorter plan", at),
    ).tasks;
    expect(plan?.steps).toMatchObject([
      { kind: "call", text: "a plan" },
      {
        kind: "aside",
        word: "guardrail",
        state: "completed",
        agent: "Planner",
        data: { retry: 0, success: false, error: "Too long" },
      },
      { kind: "call", text: "a shorter plan" },
    ]);
  });

  test("that begin are one with their end, whatever is at work elsewhere", () => {
    const { tasks } = fold(
      PLANNED(),
      ["memory.started", at, { query: "coffee" }],
      ["memory.started", { ...at, tid: "1.2", task: "write" }, { query: "tea" }],
      ["knowledge.started", at, { query: "beans" }],
      ["memory.completed", at, { results: 2 }],
      ["knowledge.failed", at, { error: "no index" }],
    );
    expect(tasks.map(({ steps }) => steps)).toMatchObject([
      [
        { word: "memory", state: "completed", data: { query: "coffee", results: 2 } },
        { word: "knowledge", state: "failed", data: { query: "beans", error: "no index" } },
      ],
      [{ word: "memory", state: "running", data: { query: "tea" } }],
    ]);
  });

  test("without a word are kept as they were told, so are ends without a beginning; of no execution they are the run's", () => {
    const { steps, state } = fold(
      ["event", {}, { kind: "crew_train_started", n_iterations: 3 }],
      ["memory.completed", {}, { results: 0 }],
      ["memory.completed", {}, { results: 1 }],
    );
    expect(state).toBe("running");
    expect(steps).toMatchObject([
      { word: "event", state: "completed", data: { kind: "crew_train_started", n_iterations: 3 } },
      { word: "memory", state: "completed", data: { results: 0 } },
      { word: "memory", state: "completed", data: { results: 1 } },
    ]);
  });
});

test("who does it is told at each step, where that is not the agent whose task it is", () => {
  const [plan] = fold(
    PLANNED(),
    task("1.1", "", "Planner", "plan"),
    says("1.1", "mine", { task: "plan", agent: "Planner" }),
    says("1.1", "a coworker's", { task: "plan", agent: "Researcher" }),
  ).tasks;
  expect(plan).toMatchObject({ agent: "Planner", steps: [{ agent: "Planner" }, { agent: "Researcher" }] });
});

test("a token costs little more in the last of as many executions as are kept than in a single one", () => {
  const cost = (executions: number): number => {
    let view = fold(flow, ...Array.from({ length: executions - 1 }, (_, n) => method(`m${n}`, "round")));
    const event = logged(says(view.work.at(-1)!.tid, "word "))[0]!;
    const start = performance.now();
    for (let n = 1; n <= 10_000; n++) view = reduce(view, { ...event, seq: view.seq + 1 } as RunEvent);
    expect(view.work.at(-1)?.steps).toMatchObject([{ text: "word ".repeat(10_000) }]);
    return performance.now() - start;
  };
  const times = (executions: number) => Math.min(...Array.from({ length: 3 }, () => cost(executions)));
  cost(2);
  // 10 µs against 2 were measured; to go through all of them for each of them would be 250 times as much.
  expect(times(LIMITS.work)).toBeLessThan(25 * times(2));
});
