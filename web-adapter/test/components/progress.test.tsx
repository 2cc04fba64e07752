// @vitest-environment jsdom
import { act } from "react";
import { afterEach, expect, test, vi } from "vitest";
import { CrewProgress, CrewTool, runOf, toolOf } from "../../src/components/index.ts";
import { emptyRun, reduce, type RunView } from "../../src/index.ts";
import { logged, type Told } from "../told.ts";
import { find, onServer, place, show, texts } from "./stage.tsx";

const fold = (...told: readonly Told[]): RunView => logged(...told).reduce(reduce, emptyRun);
const tasks = [
  { tid: "1.1", name: "create_content_plan", agent: "Planner" },
  { tid: "1.2", name: "analyze_sentiment", agent: "Analyst" },
];
const begun: readonly Told[] = [
  ["run.started", {}, { model: "m", attempt: 1, tasks }],
  [
    "task.started",
    { tid: "1.1", task: "create_content_plan", agent: "Planner" },
    { name: "create_content_plan", index: 1, of: 2 },
  ],
];
const at = { tid: "1.1", task: "create_content_plan", agent: "Planner" };
const writes = (text: string, kind = "text"): Told => ["llm.delta", at, { call: "c", text, kind }];

afterEach(() => vi.useRealTimers());

test("who is at what is told, who works now is the current step, and what they write is there as it comes", async () => {
  await show(<CrewProgress run={fold(...begun, writes("Hm", "thinking"), writes("First "))} />);
  expect(texts(".crew-progress-agent")).toEqual(["Planner", "Analyst"]);
  expect(texts(".crew-progress-name")).toEqual(["create content plan", "analyze sentiment"]);
  expect(texts(".crew-progress-state")).toEqual(["working", "to come"]);
  expect(texts("[aria-current=step] .crew-progress-agent")).toEqual(["Planner"]);
  expect(texts(".crew-thinking summary")).toEqual(["Thinking"]);
  expect(texts(".crew-progress-body > .crew-words")).toEqual(["First "]);
  await show(<CrewProgress run={fold(...begun, writes("First "), writes("words"))} />);
  expect(texts(".crew-words")).toEqual(["First words"]);
  expect(find(".crew-words").dir).toBe("auto");
});

test("a screen reader is told who works, and then the end, and never the words", async () => {
  await show(<CrewProgress run={fold(...begun, writes("First "))} />);
  const line = find("[role=status]");
  expect(line.textContent).toBe("Planner: working");
  const ended: Told = [
    "run.cancelled",
    { final: true },
    { tasks: [], usage: emptyRun.usage, seconds: 1, unapplied: [] },
  ];
  const failed: Told = ["task.failed", at, { name: "create_content_plan", error: "cancelled" }];
  await show(<CrewProgress run={fold(...begun, writes("First "), failed, ended)} />);
  expect(place.querySelector(".crew-progress-error")).toBeNull();
  expect(find("[role=status]")).toBe(line);
  expect(line.textContent).toBe("stopped");
  expect(texts(".crew-progress-state")[0]).toBe("stopped");
  expect(place.querySelector("[aria-current]")).toBeNull();
});

test("tools are told with what they were given and gave, and why one failed", async () => {
  const run = fold(
    ...begun,
    ["tool.started", at, { call: "t1", tool: "search", args: { query: "tea" } }],
    ["tool.completed", at, { call: "t1", output: "3 hits", seconds: 0.2 }],
    ["tool.started", at, { call: "t2", tool: "read", args: "a page" }],
    ["tool.failed", at, { call: "t2", error: "404" }],
    ["tool.started", at, { call: "t3", tool: "read", args: {} }],
  );
  await show(<CrewProgress run={run} />);
  expect(texts(".crew-tool-state")).toEqual(["Used", "Failed", "Using"]);
  expect(texts(".crew-tool-name")).toEqual(["search", "read", "read"]);
  expect([...place.querySelectorAll(".crew-tool")].map((tool) => tool.getAttribute("data-state"))).toEqual([
    "completed",
    "failed",
    "running",
  ]);
  expect(texts(".crew-tool:first-of-type dd")).toEqual(['{\n  "query": "tea"\n}', "3 hits"]);
  expect(texts(".crew-tool dt")).toEqual(["Given", "Result", "Given", "Error", "Given"]);
  await show(<CrewProgress run={run} Tool={() => null} />);
  expect(place.querySelector(".crew-tool")).toBeNull();
});

test("a flow's methods, crews and tasks stand inside each other", async () => {
  const run = fold(
    ["flow.started", { tid: "1.1" }, { name: "Book" }],
    ["method.started", { tid: "1.2", in: "1.1" }, { name: "write" }],
    ["crew.started", { tid: "1.3", in: "1.2" }, { name: "Writers", tasks: [] }],
    ["task.started", { tid: "1.5", in: "1.3", task: "one", agent: "Ann" }, { name: "one", index: 1, of: 1 }],
  );
  await show(<CrewProgress run={run} />);
  expect(texts("li li li li .crew-progress-agent")).toEqual(["Ann"]);
  expect([...place.querySelectorAll("li")].map((item) => item.getAttribute("data-kind"))).toEqual([
    "flow",
    "method",
    "crew",
    "task",
  ]);
});

test("what somebody closed stays closed while more comes in", async () => {
  await show(<CrewProgress run={fold(...begun, writes("First "))} />);
  const details = find(".crew-progress-item details") as HTMLDetailsElement;
  details.open = false;
  await show(<CrewProgress run={fold(...begun, writes("First "), writes("words"))} />);
  expect(find(".crew-progress-item details")).toBe(details);
  expect(details.open).toBe(false);
});

test("names, words and the way in which text is shown are the app's to choose", async () => {
  await show(
    <CrewProgress
      run={fold(...begun, writes("*First*"))}
      name={({ name }) => (name === "create_content_plan" ? "Perencana" : "Analis")}
      words={{ running: "bekerja" }}
      Text={({ text }) => <em>{text}</em>}
      className="mine"
    />,
  );
  expect(texts(".crew-progress-agent")).toEqual(["Perencana", "Analis"]);
  expect(find("[role=status]").textContent).toBe("Perencana: bekerja");
  expect(texts("em")).toEqual(["*First*"]);
  expect(find("section").className).toBe("crew-progress mine");
});

test("a tool-call part tells the same as the view's step", async () => {
  await show(<CrewTool tool={toolOf({ toolName: "search", args: { query: "tea" }, result: "3 hits" })} />);
  expect(texts(".crew-tool-head")).toEqual(["Used search "]);
  expect(toolOf({ toolName: "search", args: {} }).state).toBe("running");
  expect(toolOf({ toolName: "search", args: {}, result: { hits: 3 }, isError: true })).toMatchObject({
    state: "failed",
    result: '{\n  "hits": 3\n}',
  });
});

test("of several runs in a message the live one counts, else the newest", () => {
  const [first, second] = ["r_1", "r_2"].map((run) => ({ type: "data", name: "crew", data: { ...emptyRun, run } }));
  expect(runOf([first!, { type: "text" }, second!])?.run).toBe("r_2");
  const ended = { ...second!, data: { ...emptyRun, run: "r_3", state: "completed", output: "" } };
  expect(runOf([first!, ended])?.run).toBe("r_1");
  expect(runOf([ended])?.run).toBe("r_3");
  expect(runOf([{ type: "text" }])).toBeUndefined();
});

test("how long each took is told, and of who works how long so far", async () => {
  vi.useFakeTimers({ now: 1_000_000 });
  const times = (...ms: readonly number[]) => ms.map((at) => ({ ts: 1_000_000 + at, at: 1_000_000 + at }));
  const [start, second, third] = times(-64_000, -63_000, -2_500);
  const view = fold(
    ["run.started", start!, { model: "m", attempt: 1, tasks }],
    ["task.started", { ...at, ...start }, { name: "create_content_plan", index: 1, of: 2 }],
    ["tool.started", { ...at, ...second }, { call: "t", tool: "search", args: {} }],
    ["tool.completed", { ...at, ...third }, { call: "t", output: "3 hits", seconds: 60.5 }],
    ["task.completed", { ...at, ...third }, { name: "create_content_plan", output: "A plan" }],
    [
      "task.started",
      { tid: "1.2", task: "analyze_sentiment", agent: "Analyst", ...third },
      { name: "analyze_sentiment", index: 2, of: 2 },
    ],
  );
  await show(<CrewProgress run={view} />);
  expect(texts(".crew-progress-time")).toEqual(["1 min 2 s", "2.5 s"]);
  expect(texts(".crew-tool-time")).toEqual(["1 min 1 s"]);
  await act(async () => vi.advanceTimersByTime(9_000));
  expect(texts(".crew-progress-time")).toEqual(["1 min 2 s", "12 s"]);
});

test("a server's page has the tasks and no time that only the browser knows", () => {
  const html = onServer(<CrewProgress run={fold(...begun)} />);
  expect(html).toContain("create content plan");
  expect(html).not.toContain("crew-progress-time");
});
