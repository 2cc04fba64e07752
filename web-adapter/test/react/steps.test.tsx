// @vitest-environment jsdom
import { act } from "react";
import { expect, test, vi } from "vitest";
import { Report } from "../../example/components/Report.tsx";
import { emptyRun, reduce, type RunEvent, type RunView } from "../../src/index.ts";
import { show } from "./mount.tsx";

type Told = readonly [type: string, data: object, ts?: number];

const TASK = { task: "write", tid: "1.1", agent: "Writer" };

const fold = (...told: readonly Told[]): RunView =>
  [
    ["run.started", { model: "m", attempt: 1, tasks: [{ name: "write", tid: "1.1", agent: "Writer" }] }] as const,
    ["task.started", { name: "write", index: 1, total: 1 }] as const,
    ...told,
  ]
    .map(([type, data, ts = 1_000], n) => ({
      type,
      data,
      ts,
      seq: n + 1,
      id: `${n + 1}`,
      run: "r",
      ...(!type.startsWith("run.") && TASK),
      ...(/^run\.(completed|failed)$/.test(type) && { final: true }),
    }))
    .reduce<RunView>((view, event) => reduce(view, event as unknown as RunEvent), emptyRun);

const shown = (run: RunView, live = true) => show(<Report run={run} live={live} stopped={false} />);
const opened = (details: HTMLDetailsElement) =>
  act(async () => {
    details.open = true;
    details.dispatchEvent(new Event("toggle"));
  });

test("thinking is one quiet line while it lasts, and afterwards says how long it took", async () => {
  const thinking: Told = ["llm.delta", { call: "c", kind: "thinking", text: "I weigh *it*" }, 2_000];
  const begun: Told = ["llm.started", { call: "c" }, 1_000];
  const during = await shown(fold(begun, thinking));
  expect(during.querySelector("[data-testid=thought]")!.textContent).toBe("Thinking…");
  expect(during.querySelectorAll(".thinking")).toHaveLength(0);

  const after = await shown(fold(begun, thinking, ["llm.delta", { call: "c", kind: "text", text: "So" }, 5_000]));
  const thought = after.querySelector<HTMLDetailsElement>("[data-testid=thought]")!;
  expect(thought.textContent).toBe("Thought for 4 s");
  await opened(thought);
  expect(thought.querySelector("em")!.textContent).toBe("it");
});

test("a tool's card says which, how it went and how long it took, and has what was given and what came in lines", async () => {
  const started: Told = ["tool.started", { call: "t", tool: "look", args: { q: "tea", n: 1 } }, 1_000];
  const done = await shown(fold(started, ["tool.completed", { call: "t", output: '{"a":[1]}' }, 3_400]));
  const card = done.querySelector<HTMLDetailsElement>("[data-testid=tool]")!;
  expect(card.querySelector("summary")!.textContent).toBe("Used look2 s");
  await opened(card);
  expect([...card.querySelectorAll("pre")].map(({ textContent }) => textContent)).toEqual([
    '{\n  "q": "tea",\n  "n": 1\n}',
    '{\n  "a": [\n    1\n  ]\n}',
  ]);

  const failed = await shown(fold(started, ["tool.failed", { call: "t", error: "No network\nat line 1" }, 1_500]));
  expect(failed.querySelector("[data-testid=tool]")!.getAttribute("data-state")).toBe("failed");
  expect(failed.querySelector("[data-testid=tool] summary")!.textContent).toBe("Tried lookNo network0.5 s");
});

test("of a long result the first lines are shown, and all of them once somebody asks", async () => {
  const lines = Array.from({ length: 300 }, (_, n) => `line ${n}`).join("\n");
  const place = await shown(
    fold(["tool.started", { call: "t", tool: "look", args: {} }], ["tool.completed", { call: "t", output: lines }]),
  );
  const card = place.querySelector<HTMLDetailsElement>("[data-testid=tool]")!;
  await opened(card);
  expect(card.querySelectorAll("pre")[1]!.textContent.split("\n")).toHaveLength(12);
  const more = [...card.querySelectorAll("button")].find(({ textContent }) => textContent === "Show all 300 lines")!;
  await act(async () => more.click());
  expect(card.querySelectorAll("pre")[1]!.textContent).toBe(lines);
});

test("a model's client that waits is told with the reason and the time, in place of a thought", async () => {
  vi.spyOn(Date, "now").mockReturnValue(3_000);
  const place = await shown(
    fold(
      ["llm.started", { call: "c" }],
      ["llm.retrying", { call: "c", attempt: 1, wait: 8, status: 429, reason: "rate limit" }, 1_000],
    ),
  );
  expect(place.querySelector("[data-testid=retry]")!.textContent).toBe(
    "No answer yet: its provider asks to wait, trying again in 6 s",
  );
  expect(place.textContent).not.toContain("Thinking");
});

test("the words of the last task are the answer's element from the first one to the last", async () => {
  const begun = [["llm.delta", { call: "c", kind: "text", text: "So be it" }]] as const;
  const place = await shown(fold(...begun));
  expect(place.querySelector("[data-testid=writing]")!.textContent).toBe("So be it");
  expect(place.querySelector(".task .words")).toBeNull();
});

test("a run that was over when it came is one line, and one that went wrong shows what it did", async () => {
  const words: Told = ["llm.delta", { call: "c", kind: "text", text: "So" }];
  const usage = { prompt_tokens: 2, completion_tokens: 1, calls: 1 };
  const whole = await shown(fold(words, ["run.completed", { output: "So", tasks: [], usage }, 4_000]), false);
  const button = whole.querySelector<HTMLButtonElement>(".worked button")!;
  expect(button.textContent).toBe("Worked 3 s · 1 agent · 3 tokens");
  expect(button.getAttribute("aria-expanded")).toBe("false");
  expect(whole.querySelector(".rail")!.hasAttribute("hidden")).toBe(true);
  await act(async () => button.click());
  expect(whole.querySelector(".rail")!.hasAttribute("hidden")).toBe(false);

  const error = { code: "crew_failed", message: "no", temporary: false };
  const failed = await shown(fold(words, ["run.failed", { output: null, tasks: [], usage, error }, 4_000]), false);
  expect(failed.querySelector(".worked button")!.getAttribute("aria-expanded")).toBe("true");
});
