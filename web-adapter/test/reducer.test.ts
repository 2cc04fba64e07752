import { describe, expect, test } from "vitest";
import { emptyRun, isFinal, reduce, type CallView, type Frame, type RunEvent, type RunView } from "../src/index.ts";
import { LIMITS } from "../src/view.ts";
import { eventsOf, runs, type RunVector } from "./vectors.ts";

const fold = (frames: readonly Frame[], from: RunView = emptyRun) => frames.reduce(reduce, from);

const snapshot = (view: RunView): RunVector["snapshot"] => ({
  inputs: view.inputs,
  started: view.started,
  finished: view.ended,
  state: view.state,
  model: view.model,
  tasks: view.tasks.map(({ name, agent, state, output, tid, in: inside }) => ({
    name,
    agent,
    state,
    output,
    // In a log that is older than these, the name stands in for the one, and there is no other.
    ...(tid !== name && { tid }),
    ...(inside !== null && { in: inside }),
  })),
  input: "input" in view ? view.input : null,
  usage: view.usage,
  output: "output" in view ? view.output : null,
  error: "error" in view ? view.error : null,
});

describe.each(runs)("$name", ({ events, snapshot: expected }) => {
  test("folds to its snapshot", () => {
    expect(snapshot(fold(events))).toEqual(expected);
  });

  test("folds to the same when every event comes twice", () => {
    expect(fold(events.flatMap((event) => [event, event]))).toEqual(fold(events));
  });

  test("changes no view that it was given", () => {
    const freeze = <T>(value: T): T => {
      if (value !== null && typeof value === "object") Object.values(Object.freeze(value)).forEach(freeze);
      return value;
    };
    const folding = () => events.reduce((view, event) => freeze(reduce(view, event)), freeze(emptyRun));
    expect(folding).not.toThrow();
  });
});

/** Of the run itself, at a time in Unix ms. */
const at = (type: string, ts: number, data: object) =>
  ({ type, ts, seq: 0, id: "1", run: "r_01jd", data }) as unknown as RunEvent;

const reset = (reason: "epoch" | "evicted") => ({ type: "stream.reset", run: "r_01jd", reason, from: 1 }) as const;
const middle = eventsOf("running in the middle of a reply, after two tool calls");

test("a reset starts over, and the replay gives the same view", () => {
  const view = fold(middle);
  expect(reduce(view, reset("epoch"))).toBe(emptyRun);
  expect(fold([reset("epoch"), ...middle], view)).toEqual(view);
});

test("what was seen before an eviction is kept", () => {
  const view = fold(middle);
  expect(reduce(view, reset("evicted"))).toBe(view);
});

test("repeats and control frames give the very same view", () => {
  const view = fold(middle);
  expect(reduce(view, middle[3]!)).toBe(view);
  expect(reduce(view, { type: "stream.live", run: "r_01jd", seq: 99 })).toBe(view);
});

test("the steps of a task keep their order: thought, tools, words", () => {
  const [task] = fold(middle).tasks;
  expect(task?.steps).toMatchObject([
    { kind: "call", state: "completed", text: "", thinking: "I should count" },
    { kind: "tool", tool: "word_count", state: "completed", args: { text: "Coffee in Lisbon" }, result: "3" },
    { kind: "tool", tool: "word_count", state: "failed", result: "text is missing" },
    { kind: "call", state: "running", text: "A pl" },
  ]);
  expect(fold(middle).logs).toEqual([{ stream: "stdout", text: "hello from the crew\n" }]);
});

test("of what was thought it is known when it had been thought, whether words came of it or a tool's call", () => {
  const started = at("llm.started", 1_000, { call: "c" });
  const thinking = at("llm.delta", 2_000, { call: "c", kind: "thinking", text: "Hm" });
  const wrote = at("llm.delta", 5_000, { call: "c", kind: "text", text: "So" });
  const more = at("llm.delta", 6_000, { call: "c", kind: "text", text: "." });
  const ended = at("llm.completed", 7_000, { call: "c" });
  const thought = (...events: RunEvent[]) =>
    events.map((event, n) => ({ ...event, seq: n + 1 })).reduce(reduce, emptyRun).steps[0];
  expect(thought(started, thinking)).toMatchObject({ thinking: "Hm", thought: null });
  expect(thought(started, thinking, wrote, more, ended)).toMatchObject({ text: "So.", thought: 5_000 });
  expect(thought(started, thinking, ended)).toMatchObject({ text: "", thought: 7_000 });
  expect(thought(started, wrote, ended)).toMatchObject({ thought: null });
});

describe("a client that waits to try again", () => {
  const waiting = eventsOf("a model's client waits before it tries again");
  const { tid, ...last } = waiting.at(-1)!;
  const event = (type: string, data: object, more: object = { tid }) =>
    ({ ...last, ...more, seq: last.seq + 1, id: "k3f9-99", type, data }) as RunEvent;
  const call = (view: RunView) => view.tasks[0]?.steps[0] as CallView;

  test("shows what it waits for, and since when", () => {
    const retry = { attempt: 2, wait: 0.5, status: null, reason: "no connection", ts: last.ts };
    expect(call(fold(waiting))).toMatchObject({ state: "running", retry });
    expect(fold(waiting.slice(0, -1)).tasks[0]?.steps).toMatchObject([{ retry: { attempt: 1, wait: 8 } }]);
  });

  test.each([
    event("llm.delta", { call: "m1", text: "A", kind: "text" }),
    event("llm.delta", { call: "m1", text: "{", kind: "tool" }),
    event("llm.completed", { call: "m1", usage: null, finish_reason: "stop" }),
    event("llm.failed", { call: "m1", error: "gone" }),
    event("llm.started", { call: "m2", model: "gpt-4o-mini" }),
    event("run.cancelled", { output: null, tasks: [], unapplied: [] }, { final: true }),
  ])("has waited once there is $type", (next) => {
    expect(call(fold([...waiting, next]))).toMatchObject({ id: "m1", retry: null });
  });
});

test("a second attempt forgets the words of the unfinished task", () => {
  const view = fold(eventsOf("second attempt: the finished task is kept, the unfinished one is pending again"));
  expect(view.attempt).toBe(2);
  expect(view.tasks.map(({ steps }) => steps.length)).toEqual([1, 0, 0]);
});

test("an accepted cancel is not undone by what the crew still says", () => {
  const events = eventsOf("cancelling");
  const last = events.at(-1)!;
  const late = { ...last, type: "run.resumed", seq: last.seq + 1, data: {} } as RunEvent;
  expect(fold([...events, late]).state).toBe("cancelling");
});

test("the view says in which states a run is over", () => {
  for (const {
    events,
    snapshot: { state },
  } of runs) {
    expect(isFinal(state)).toBe(events.some(({ final }) => final === true));
  }
});

const delta = (seq: number, over: Partial<RunEvent> = {}, text = "word ") =>
  ({
    type: "llm.delta",
    run: "r",
    seq,
    id: `e-${seq}`,
    ts: 0,
    at: 0,
    task: "t",
    agent: "A",
    data: { call: "c", text, kind: "text" },
    ...over,
  }) as RunEvent;

test("words of no task, as of a Flow, stand on their own", () => {
  const { task: _, ...event } = delta(1);
  expect(fold([event as RunEvent])).toMatchObject({ state: "running", tasks: [], steps: [{ text: "word " }] });
});

test("10,000 tokens fold in linear time, with a reader at every 16th", () => {
  const run = (tokens: number) => {
    const start = performance.now();
    let view = emptyRun;
    let read = 0;
    for (let seq = 1; seq <= tokens; seq++) {
      view = reduce(view, delta(seq));
      const step = view.tasks[0]?.steps[0];
      if (seq % 16 === 0 && step?.kind === "call") read += step.text.charCodeAt(step.text.length - 1);
    }
    expect(read).toBeGreaterThan(0);
    return performance.now() - start;
  };
  run(1_000);
  expect(run(10_000)).toBeLessThan(500);
});

/** The vector's events and then these, numbered on. */
function then(name: string, ...more: readonly Partial<RunEvent>[]): RunView {
  const told = eventsOf(name);
  return fold([
    ...told,
    ...more.map((event, n) => delta(told.at(-1)!.seq + 1 + n, { task: undefined, ...event } as Partial<RunEvent>)),
  ]);
}

const steer = (cause: string) => ({ type: "run.modifying", cause, data: { instruction: cause } }) as const;
const ending = { output: null, tasks: [], usage: emptyRun.usage, seconds: 1, unapplied: [] };

describe("notes", () => {
  test("a modification is accepted, then applied, and stands behind the words it came upon", () => {
    const accepted = then("running in the middle of a reply, after two tool calls", steer("c-7"));
    const behind = middle.at(-1)!.data as { call: string };
    expect(accepted.notes).toEqual([
      {
        kind: "steer",
        id: "c-7",
        state: "accepted",
        change: { instruction: "c-7" },
        in: "create_content_plan",
        after: behind.call,
      },
    ]);
    const applied = {
      type: "run.modified",
      cause: "c-7",
      data: { instruction: "c-7", applied: "model_call" },
    } as const;
    const view = then("running in the middle of a reply, after two tool calls", steer("c-7"), applied);
    expect(view.notes).toEqual([{ ...accepted.notes[0], state: "applied" }]);
  });

  test("what was not applied when the run ended never was", () => {
    const { notes } = then(
      "running in the middle of a reply, after two tool calls",
      steer("c-7"),
      steer("c-8"),
      { type: "run.modified", cause: "c-7", data: { instruction: "c-7", applied: "model_call" } },
      { type: "run.interrupted", final: true, data: { ...ending, unapplied: ["c-8"] } },
    );
    expect(notes.map(({ id, state }) => [id, state])).toEqual([
      ["c-7", "applied"],
      ["c-8", "unapplied"],
    ]);
  });

  test("an applied modification whose acceptance was evicted is no note", () => {
    expect(
      then("pausing", { type: "run.modified", cause: "c-7", data: { instruction: "x", applied: "task" } }).notes,
    ).toEqual([]);
  });

  test.each([
    ["waiting for an answer", "open", null],
    ["answered", "answered", expect.any(String)],
    ["the question expired", "expired", null],
    ["cancelling while a question is open closes it", "closed", null],
  ])("a question, %s: it is %s", (name, state, text) => {
    const { notes } = fold(eventsOf(name));
    const asked = eventsOf(name).find(({ type }) => type === "input.requested")!.data as {
      input: string;
      prompt: string;
    };
    expect(notes).toMatchObject([{ kind: "question", id: asked.input, prompt: asked.prompt, state, text }]);
  });
});

test("a question has its options, and what its flow says of it", () => {
  const { notes } = fold(eventsOf("a flow's method asks, with options to choose from"));
  expect(notes).toMatchObject([
    { state: "open", in: "1.2", options: ["approved", "rejected"], method: "write", metadata: { who: "the boss" } },
  ]);
});

test("a run that was completed has its structure beside the text, one without has none, and either may be nothing", () => {
  const structured = fold(eventsOf("completed, with an output that is structured"));
  expect(structured).toMatchObject({ output: '{"title": "Tea"}', json: { title: "Tea", pages: [1, 2] } });
  const nothing = fold(eventsOf("the flow's own patience ends, and it gives nothing"));
  expect(nothing).toMatchObject({ state: "completed", output: null, notes: [{ state: "expired" }] });
  expect(nothing).not.toHaveProperty("json");
});

describe("a later attempt", () => {
  const again = (...kept: string[]) =>
    ({
      type: "run.started",
      data: { ...eventsOf("started, no task yet").at(-1)!.data, attempt: 2, kept },
    }) as Partial<RunEvent>;

  test.each([
    "started, no task yet",
    "running in the middle of a reply, after two tool calls",
    "pausing",
    "paused",
    "resumed",
    "waiting for an answer",
  ])("of a run that was left as: %s: it runs", (name) => {
    expect(then(name, again())).toMatchObject({ state: "running", attempt: 2 });
    expect(then(name, again())).not.toHaveProperty("boundary");
    expect(then(name, again())).not.toHaveProperty("input");
  });

  test("of a run that was paused comes after its resume", () => {
    expect(then("paused", { type: "run.resumed", data: {} }, again()).state).toBe("running");
  });

  test("does not undo a cancel", () => {
    expect(then("cancelling", again()).state).toBe("cancelling");
  });

  test("keeps the finished tasks as they are, and begins the others from nothing", () => {
    const name = "second attempt: the finished task is kept, the unfinished one is pending again";
    const before = fold(eventsOf(name).slice(0, -1)).tasks;
    const after = fold(eventsOf(name)).tasks;
    expect(after[0]).toEqual(before[0]);
    expect(after[0]?.steps).not.toEqual([]);
    expect(before[1]?.steps).not.toEqual([]);
    for (const task of after.slice(1))
      expect(task).toMatchObject({ state: "pending", steps: [], output: null, error: null });
  });

  test("closes the open question, which the crew asks again under another id", () => {
    const asked = eventsOf("waiting for an answer").at(-1)!;
    const anew = { ...asked, data: { ...asked.data, input: "in_2_1" } } as RunEvent;
    const { state, notes } = then("waiting for an answer", again(), {
      type: anew.type,
      data: anew.data,
      task: anew.task,
    } as Partial<RunEvent>);
    expect(state).toBe("waiting");
    expect(notes.map(({ id, state }) => [id, state])).toEqual([
      [(asked.data as { input: string }).input, "closed"],
      ["in_2_1", "open"],
    ]);
  });

  test("leaves notes where they stand in what is kept, and at their task where its words are gone", () => {
    const said = (task: string, call: string) =>
      ({ task, data: { call, text: "word", kind: "text" } }) as Partial<RunEvent>;
    const view = then(
      "started, no task yet",
      { type: "task.started", data: { name: "create_content_plan", index: 0, of: 3 } },
      said("create_content_plan", "kept"),
      steer("c-1"),
      { type: "run.modified", cause: "c-1", data: { instruction: "c-1", applied: "model_call" } },
      { type: "task.completed", task: "create_content_plan", data: { output: "plan" } },
      { type: "task.started", data: { name: "analyze_sentiment", index: 1, of: 3 } },
      said("analyze_sentiment", "dropped"),
      steer("c-2"),
      again("create_content_plan"),
    );
    expect(view.notes).toMatchObject([
      { id: "c-1", state: "applied", in: "create_content_plan", after: "kept" },
      { id: "c-2", state: "accepted", in: "analyze_sentiment", after: null },
    ]);
  });
});

test("memory has a bound: logs, notes, steps and text keep no more than their limits", () => {
  let seq = 0;
  let view = emptyRun;
  for (let n = 0; n < LIMITS.logs + 50; n++) {
    const data = { stream: "stdout", text: `${n}` };
    view = reduce(view, delta(++seq, { type: "log", data } as Partial<RunEvent>));
  }
  expect(view.logs).toHaveLength(LIMITS.logs);
  expect(view.logs.at(-1)?.text).toBe(`${LIMITS.logs + 49}`);

  for (let n = 0; n < LIMITS.notes + 50; n++) view = reduce(view, delta(++seq, steer(`c-${n}`) as Partial<RunEvent>));
  expect(view.notes).toHaveLength(LIMITS.notes);
  expect(view.notes.at(-1)?.id).toBe(`c-${LIMITS.notes + 49}`);

  for (let n = 0; n < LIMITS.steps + 50; n++) {
    const data = { call: `c${n}`, model: "m" };
    view = reduce(view, delta(++seq, { type: "llm.started", data } as Partial<RunEvent>));
  }
  expect(view.tasks[0]?.steps).toHaveLength(LIMITS.steps);
  expect(view.tasks[0]?.steps.at(-1)?.id).toBe(`c${LIMITS.steps + 49}`);

  const piece = "x".repeat(LIMITS.text / 4);
  for (let n = 0; n < 9; n++) view = reduce(view, delta(++seq, {}, piece));
  const last = view.tasks[0]?.steps.at(-1);
  expect(last?.kind === "call" && last.text.length).toBe(LIMITS.text);
});
