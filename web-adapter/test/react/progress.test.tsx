// @vitest-environment jsdom
import { flushSync } from "react-dom";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { emptyRun, reduce, type RunView } from "../../src/index.ts";
import { phaseOf } from "../../example/components/phase.ts";
import { Progress } from "../../example/components/Progress.tsx";
import { logged, type Told } from "../told.ts";

vi.mock("../../example/components/crew.ts", () => ({ crew: undefined }));

let root: Root;
let place: HTMLElement;

beforeEach(() => {
  place = document.createElement("div");
  root = createRoot(place);
});
afterEach(() => root.unmount());

/** The words for what went wrong are loaded when they are first needed. */
const until = (says: string) => vi.waitFor(() => expect(place.textContent).toContain(says));

const fold = (told: readonly Told[]): RunView => logged(...told).reduce(reduce, emptyRun);

/** What is on the page: the headed sections and tasks by their place in each other, and the words. */
function shown(...told: readonly Told[]) {
  flushSync(() => root.render(<Progress run={fold(told)} live stopped={false} />));
  const outline = (within: Element): unknown[] =>
    [...within.querySelectorAll("[data-testid=group], [data-testid=task]")]
      .filter((item) => item.parentElement!.closest("[data-testid=group], [data-testid=task]") === owner(within))
      .map((item) => [item.querySelector("button")!.textContent, ...outline(item)]);
  const owner = (within: Element) => (within === place ? null : within);
  return { outline: outline(place), text: place.textContent };
}

const says = (tid: string, text: string, more: object = {}): Told => [
  "llm.delta",
  { tid, ...more },
  { call: `${tid} ${text}`, text, kind: "text" },
];
const flow: readonly Told[] = [
  ["flow.started", { tid: "1.1" }, { name: "BookFlow" }],
  ["method.started", { tid: "1.2", in: "1.1" }, { name: "write_chapters" }],
  says("1.2", "a title of no task", { in: "1.1", method: "write_chapters" }),
  ["crew.started", { tid: "1.3", in: "1.2" }, { name: "Writers", tasks: [] }],
  ["crew.started", { tid: "1.4", in: "1.2" }, { name: "Writers", tasks: [] }],
  ["task.started", { tid: "1.5", in: "1.3", task: "task_1", agent: "Ann" }, { name: "task_1", index: 1, of: 1 }],
  ["task.started", { tid: "1.6", in: "1.4", task: "task_1", agent: "Ben" }, { name: "task_1", index: 1, of: 1 }],
  says("1.6", "from Ben", { in: "1.4", task: "task_1", agent: "Ben" }),
  says("1.5", "from Ann", { in: "1.3", task: "task_1", agent: "Ann" }),
];

describe("a flow", () => {
  test("is headed sections: its methods, the crews in them, and their tasks, each with its own words", () => {
    const { outline } = shown(...flow);
    expect(outline).toEqual([
      [
        "FlowBookFlowworking",
        [
          "Methodwrite chaptersworking",
          ["CrewWritersno. 1working", ["Anntask 1working"]],
          ["CrewWritersno. 2working", ["Bentask 1working"]],
        ],
      ],
    ]);
    const [ann, ben] = place.querySelectorAll("[data-testid=task]");
    expect(ann!.textContent).toContain("from Ann");
    expect(ben!.textContent).toContain("from Ben");
    expect([...place.querySelectorAll("h2, h3, h4, h5")].map(({ tagName }) => tagName)).toEqual([
      "H3",
      "H4",
      "H5",
      "H5",
    ]);
  });

  test("has what is of no task under its method, in the order in which it happened", () => {
    const { text } = shown(...flow);
    expect(text.indexOf("write chapters")).toBeLessThan(text.indexOf("a title of no task"));
    expect(text.indexOf("a title of no task")).toBeLessThan(text.indexOf("Writers"));
  });

  test("that loops has a section per round, and says where its router went", () => {
    const round = (tid: string, route: string): Told[] => [
      ["method.started", { tid, in: "1.1" }, { name: "judge" }],
      ["method.completed", { tid, in: "1.1" }, { output: route, route }],
    ];
    expect(shown(flow[0]!, ...round("1.2", "write_again"), ...round("1.3", "publish")).outline).toEqual([
      ["FlowBookFlowworking", ["Methodjudgeround 1→ write againdone"], ["Methodjudgeround 2→ publishdone"]],
    ]);
  });

  test("shows what a method made that has no words of its own, and why one failed, once", async () => {
    const { text } = shown(
      flow[0]!,
      ["method.started", { tid: "1.2", in: "1.1" }, { name: "count" }],
      ["method.completed", { tid: "1.2", in: "1.1" }, { output: "42 chapters" }],
      ["method.started", { tid: "1.3", in: "1.1" }, { name: "print" }],
      ["method.failed", { tid: "1.3", in: "1.1" }, { error: "No paper" }],
      ["flow.failed", { tid: "1.1" }, { error: "No paper" }],
    );
    expect(text).toContain("42 chapters");
    await until("No paper");
    expect(place.textContent.match(/No paper/g)).toHaveLength(1);
  });

  test("that gives nothing at the end keeps what its tasks wrote in sight", () => {
    const task = { tid: "1.2", in: "1.1", task: "task_1", agent: "Ann" };
    const { text } = shown(
      flow[0]!,
      ["task.started", task, { name: "task_1", index: 1, of: 1 }],
      says("1.2", "from Ann", task),
      ["run.completed", { final: true }, { output: null, tasks: [], usage: emptyRun.usage, seconds: 1, unapplied: [] }],
    );
    expect(text).toContain("from Ann");
  });

  test("is told in a line by who works and in which method", () => {
    expect(phaseOf(fold(flow))).toEqual({ title: "Ben is working", detail: "write chapters" });
    expect(phaseOf(fold(flow.slice(0, 3)))).toEqual({ title: "The crew is working", detail: "write chapters" });
  });
});

describe("a crew", () => {
  const planned: Told = [
    "run.started",
    {},
    { model: "m", attempt: 1, tasks: ["1.1", "1.2"].map((tid) => ({ tid, name: "task_1", agent: "Ann" })) },
  ];
  const begins: Told = [
    "task.started",
    { tid: "1.1", task: "task_1", agent: "Ann" },
    { name: "task_1", index: 1, of: 2 },
  ];
  const at = { tid: "1.1", task: "task_1", agent: "Ann" };

  test("has a card for each of two tasks of one name", () => {
    expect(shown(planned, begins).outline).toEqual([["Anntask 1working"], ["Anntask 1to come"]]);
    expect(phaseOf(fold([planned, begins]))).toEqual({ title: "Ann is working", detail: "task 1 of 2" });
  });

  test("has a crew that a tool began right behind that tool", () => {
    const { outline, text } = shown(
      planned,
      begins,
      ["tool.started", at, { call: "t", tool: "ask_others", args: {} }],
      ["crew.started", { tid: "1.3", in: "1.1" }, { name: "Others", tasks: [] }],
      says("1.1", "and then", at),
    );
    expect(outline[0]).toEqual(["Anntask 1working", ["CrewOthersworking"]]);
    expect(text.indexOf("ask_others")).toBeLessThan(text.indexOf("Others"));
    expect(text.indexOf("Others")).toBeLessThan(text.indexOf("and then"));
  });

  test("names a coworker where the work goes to one, and the agent where it comes back", () => {
    shown(
      planned,
      begins,
      says("1.1", "mine", at),
      says("1.1", "theirs", { ...at, agent: "Ben" }),
      says("1.1", "theirs too", { ...at, agent: "Ben" }),
      says("1.1", "mine again", at),
    );
    expect([...place.querySelectorAll(".who")].map(({ textContent }) => textContent)).toEqual(["Ben", "Ann"]);
  });

  test("says which task an instruction was for, where it was for one alone", () => {
    const steers = (change: object): Told => ["run.modifying", { ...at, cause: "c-1" }, change];
    expect(shown(planned, begins, steers({ instruction: "Shorter" })).text).toContain("You steered: Shorter");
    const { text } = shown(planned, begins, steers({ instruction: "Shorter", task: "write_it" }));
    expect(text).toContain("You steered write it: Shorter");
  });

  test("says why a guardrail sent work back, and keeps a class without a word as it was told", () => {
    shown(
      planned,
      begins,
      says("1.1", "too long", at),
      ["guardrail.completed", at, { retry: 0, success: false, error: "Under 100 words, please" }],
      ["guardrail.completed", at, { retry: 1, success: true, error: null }],
      ["memory.started", at, { call: "e-7", operation: "query", limit: 3, query: "coffee" }],
      ["knowledge.failed", at, { query: "beans", error: "no index" }],
      ["event", at, { kind: "crew_train_started", n_iterations: 3 }],
      // The question itself is on the page.
      ["event", at, { kind: "flow_input_requested", message: "Good?" }],
    );
    const asides = [...place.querySelectorAll<HTMLDetailsElement>("[data-testid=aside]")];
    expect(asides.map((aside) => [aside.open, aside.querySelector("summary")!.textContent])).toEqual([
      [false, "Guardrail sent it backUnder 100 words, please"],
      [false, "Guardrail passed"],
      [false, "Memory querycoffee"],
      [false, "Knowledge failedno index"],
      [false, "crew train started"],
    ]);
    expect(asides.at(-1)!.textContent).toContain("n iterations3");
    expect(place.textContent).not.toContain("flow input");
  });
});

test("a task that failed says why in words", async () => {
  const task = { tid: "1.5", task: "task_1", agent: "Ann" };
  const error =
    "Error code: 401 - {'error': {'message': 'Incorrect API key provided: sk-*****6789. You can find your API key at https://platform.openai.com/account/api-keys.', 'code': 'invalid_api_key'}}";
  shown(["task.started", task, { name: "task_1", index: 1, of: 1 }], ["task.failed", task, { name: "task_1", error }]);
  await until("OpenAI rejected the key.");
  expect(place.textContent).not.toContain("{");
});
