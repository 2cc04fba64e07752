import { describe, expect, test } from "vitest";
import { emptyRun, reduce, type RunView } from "../src/index.ts";
import { fieldsOf, isKept, likelyOf, readFields, startsOf } from "../example/components/run/fork.ts";
import { inWords } from "../example/components/run/spent.ts";
import { spentOf } from "../example/components/worked.ts";
import { logged, type Told } from "./told.ts";

const NAMES = ["plan", "judge", "search"];
const begun = (forked?: object): readonly Told[] => [
  ["run.queued", {}, { crew: "default", inputs: {}, review: [], position: 0, ...(forked && { forked }) }],
  [
    "run.started",
    {},
    { model: "m", attempt: 1, tasks: NAMES.map((name, n) => ({ name, agent: name, tid: `1.${n + 1}` })) },
  ],
];
const done = (n: number, output: string | null = "done"): Told => ["task.completed", { tid: `1.${n}` }, { output }];
const fold = (...told: readonly Told[]): RunView => logged(...told).reduce(reduce, emptyRun);
const possible = (view: RunView) =>
  startsOf(view)
    .filter((start) => start.possible)
    .map(({ task }) => task.name);

describe("a run can be begun again", () => {
  test("at each task before which all have an output", () => {
    expect(possible(fold(...begun()))).toEqual(["plan"]);
    expect(possible(fold(...begun(), done(1)))).toEqual(["plan", "judge"]);
    expect(possible(fold(...begun(), done(2)))).toEqual(["plan"]);
    expect(possible(fold(...begun(), done(1), done(2), done(3)))).toEqual(NAMES);
    expect(startsOf(fold(...begun(), done(1))).map(({ task }) => task.name)).toEqual(NAMES);
  });

  test("likeliest at what was not finished, else at the last task", () => {
    expect(likelyOf(startsOf(fold(...begun(), done(1))))?.name).toBe("judge");
    expect(likelyOf(startsOf(fold(...begun(), done(1), done(2), done(3))))?.name).toBe("search");
    expect(likelyOf(startsOf(fold()))).toBeUndefined();
  });

  test("not at what is in a flow, nor at what came to light on the way", () => {
    const flow = fold(
      ["run.started", {}, { model: "m", attempt: 1, tasks: [] }],
      ["task.started", { tid: "1.2", in: "1.1", task: "plan" }, { name: "plan", index: 1, of: 1 }],
    );
    expect(startsOf(flow)).toEqual([]);
    const more = fold(...begun(), ["task.started", { tid: "1.9", task: "more" }, { name: "more", index: 1, of: 1 }]);
    expect(startsOf(more)).toHaveLength(3);
  });

  test("and keeps what is before the task that it began at, and nothing of a run that is no fork", () => {
    const fork = fold(...begun({ run: "r_0", task: "search" }));
    expect(["1.1", "1.2", "1.3", "1.9"].map((tid) => isKept(fork, tid))).toEqual([true, true, false, false]);
    expect(isKept(fold(...begun(), done(1)), "1.1")).toBe(false);
  });
});

describe("the inputs of a fork", () => {
  const inputs = { tags: ["a"], language: "German", message: "Tea", deep: false };

  test("are edited as texts, and as JSON where they are none, the brief first", () => {
    expect(fieldsOf(inputs).map(({ name, kind, text }) => [name, kind, text])).toEqual([
      ["message", "text", "Tea"],
      ["tags", "json", '[\n  "a"\n]'],
      ["language", "text", "German"],
      ["deep", "json", "false"],
    ]);
  });

  test("are those that were changed", () => {
    const edit = (name: string, text: string) =>
      readFields(
        fieldsOf(inputs).map((field) => (field.name === name ? { ...field, text } : field)),
        inputs,
      );
    expect(readFields(fieldsOf(inputs), inputs)).toEqual({ inputs: {} });
    expect(edit("message", "Coffee")).toEqual({ inputs: { message: "Coffee" } });
    expect(edit("message", "")).toEqual({ inputs: { message: "" } });
    expect(edit("tags", '["b"]')).toEqual({ inputs: { tags: ["b"] } });
    expect(edit("deep", "yes")).toEqual({ wrong: { deep: expect.stringContaining("no JSON") as string } });
  });
});

describe("the time of a run", () => {
  const PAUSE: Told = ["run.paused", {}, { boundary: "token" }];
  const RESUME: Told = ["run.resumed", {}, {}];
  const ASK: Told = ["input.requested", {}, { input: "i", prompt: "?", output: null, expires: null }];
  const ANSWER: Told = ["input.answered", {}, { input: "i", text: "" }];
  const words = (now: number, ...told: readonly Told[]) => inWords(spentOf(fold(...begun(), ...told), now)!);

  test("says how much of it nobody worked", () => {
    expect(words(5_000)).toBe("3.0 s");
    expect(words(9_000, PAUSE)).toBe("7.0 s, 6.0 s of them paused");
    expect(words(9_000, PAUSE, RESUME)).toBe("7.0 s, 1.0 s of them paused");
    expect(words(9_000, PAUSE, RESUME, ASK)).toBe("7.0 s, 1.0 s of them paused and 4.0 s waiting for you");
    expect(words(9_000, ASK, ANSWER)).toBe("7.0 s, 1.0 s of them waiting for you");
  });

  test("stands once it is over, and there is none before it has begun", () => {
    const ending: Told = ["run.cancelled", { final: true }, { output: null, tasks: [], usage: emptyRun.usage }];
    expect(words(90_000, PAUSE, ending)).toBe("2.0 s, 1.0 s of them paused");
    expect(spentOf(fold(begun()[0]!), 9_000)).toBeNull();
  });
});
