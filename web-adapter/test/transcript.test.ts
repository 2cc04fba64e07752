import { expect, test } from "vitest";
import { fileNameOf, transcriptOf } from "../example/components/messages/transcript.ts";
import { answerOf } from "../example/components/messages/written.ts";
import { emptyRun, type RunView } from "../src/index.ts";

const RUN: RunView = {
  ...emptyRun,
  run: "r_01",
  crew: "default",
  model: "openai/gpt-4o-mini",
  state: "completed",
  created: Date.UTC(2026, 10, 24, 18, 5),
  started: Date.UTC(2026, 10, 24, 18, 5, 1),
  ended: Date.UTC(2026, 10, 24, 18, 5, 17),
  usage: { prompt_tokens: 1_480, completion_tokens: 830, calls: 3 },
  output: "The trends.",
};

const task = (name: string, agent: string, output: string | null): RunView["tasks"][number] => ({
  kind: "task",
  tid: name,
  name,
  agent,
  output,
  in: null,
  after: null,
  state: "completed",
  steps: [],
  error: null,
  started: null,
  ended: null,
});

test("a transcript has the brief, what each task gave, and what that took", () => {
  const tasks = [
    task("create_plan", "Planner ", "# A plan\n\n- tea"),
    task("find_trends", "Researcher", "The trends."),
  ];
  expect(transcriptOf({ ...RUN, tasks }, "Tea for the night train\nand bread")).toBe(`# Tea for the night train

> Tea for the night train
> and bread

- State: Done
- Crew: default
- Model: gpt-4o-mini
- Date: 2026-11-24 18:05 UTC
- Took: 16 s
- Tokens: 2,310 (3 model calls)

## Create plan · Planner

# A plan

- tea

## Find trends · Researcher

The trends.
`);
});

test("what was said and asked on the way is in it, and an answer that no task gave", () => {
  const place = { in: null, after: null };
  const notes: RunView["notes"] = [
    { ...place, kind: "steer", id: "c1", state: "applied", change: { instruction: "Mention\nthe harbour" } },
    { ...place, kind: "steer", id: "c2", state: "applied", change: { inputs: { a: 1 } } },
    { ...place, kind: "question", id: "i1", state: "answered", prompt: "Good?", output: "", expires: null, text: "" },
    {
      ...place,
      kind: "question",
      id: "i2",
      state: "closed",
      prompt: "And now?",
      output: "",
      expires: null,
      text: null,
    },
  ];
  const text = transcriptOf({ ...RUN, notes, tasks: [task("plan", "", "A plan")] }, "Tea");
  expect(text).toContain(`## On the way

- You said: Mention the harbour
- The crew asked: Good? — accepted
- The crew asked: And now? — not answered
`);
  expect(text).toContain("## Plan\n\nA plan\n\n## Answer\n\nThe trends.\n");
});

test("of a run that failed it has why, and what there was by then", () => {
  const { output: _, ...rest } = RUN as Extract<RunView, { state: "completed" }>;
  const error = { code: "error", message: "No key." } as const;
  const text = transcriptOf({ ...rest, state: "failed", output: "Up and", error }, "Tea");
  expect(text).toContain("- State: Failed");
  expect(text).toContain("## What went wrong\n\nNo key.\n\n## Answer\n\nUp and\n");
});

test("what a run that was stopped had written is its answer", () => {
  const { output: _, ...rest } = RUN as Extract<RunView, { state: "completed" }>;
  expect(answerOf({ ...rest, state: "cancelled", output: " Up and " })).toBe("Up and");
  expect(answerOf({ ...rest, state: "cancelled", output: null })).toBe("");
});

test.each([
  ["A launch plan: coffee & tea!", "a-launch-plan-coffee-tea.md"],
  ["خطة إطلاق", "خطة-إطلاق.md"],
  ["../../etc/passwd", "etc-passwd.md"],
  ["?!", "run.md"],
  [`${"word ".repeat(30)}`, `${"word-".repeat(12).slice(0, -1)}.md`],
])("a file for %j is called %s", (brief, name) => {
  expect(fileNameOf(brief)).toBe(name);
  expect(name.length).toBeLessThanOrEqual(64);
});
