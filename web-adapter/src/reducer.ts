import type { Change, Failure, Frame, OpenInput, RunEvent, RunState, Usage } from "./protocol.ts";

/** One model call, as far as it has been written. */
export interface CallView {
  readonly kind: "call";
  readonly id: string;
  readonly state: "running" | "completed" | "failed";
  readonly text: string;
  readonly thinking: string;
}

export interface ToolView {
  readonly kind: "tool";
  readonly id: string;
  readonly state: "running" | "completed" | "failed";
  readonly tool: string;
  readonly args: unknown;
  /** Its output, or what went wrong. */
  readonly result: string | null;
}

export type Step = CallView | ToolView;

export interface TaskView {
  readonly name: string;
  readonly agent: string;
  readonly state: "pending" | "running" | "completed" | "failed";
  /** Model calls and tools in the order in which they began. */
  readonly steps: readonly Step[];
  readonly output: string | null;
  readonly error: string | null;
}

/** Where a note stands: behind that step of that task, so that a reader finds it where it was said. */
interface Place {
  /** null where no task was at work. */
  readonly task: string | null;
  /** Id of the last step there was; null for none. */
  readonly after: string | null;
}

/** A modification, from its acceptance on. */
export interface SteerView extends Place {
  readonly kind: "steer";
  /** The command's. */
  readonly id: string;
  readonly state: "accepted" | "applied" | "unapplied";
  readonly change: Change;
}

/**
 * A question of the crew's, and what became of it: `closed` when the run was cancelled or ended over
 * it, or began another attempt, where the crew asks again under another id.
 */
export interface QuestionView extends Place {
  readonly kind: "question";
  readonly id: string;
  readonly state: "open" | "answered" | "expired" | "closed";
  readonly prompt: string;
  /** What the question is about. */
  readonly output: string | null;
  /** Unix ms; null for never. */
  readonly expires: number | null;
  /** The answer; "" accepted. */
  readonly text: string | null;
}

export type Note = SteerView | QuestionView;

interface Common {
  readonly run: string | null;
  readonly crew: string | null;
  /** Last event taken in; 0 for none. */
  readonly seq: number;
  readonly model: string | null;
  readonly attempt: number;
  readonly tasks: readonly TaskView[];
  /** Steps of no task, as a Flow has them. */
  readonly steps: readonly Step[];
  /** What was said to the run and asked by it, in that order. */
  readonly notes: readonly Note[];
  readonly usage: Usage;
  /** What the crew printed, newest last. */
  readonly logs: readonly { readonly stream: string; readonly text: string }[];
}

/** A run as told by its events so far; what a state has to say beyond the common is there in that state only. */
export type RunView = Common &
  (
    | { readonly state: "queued"; readonly position: number }
    | { readonly state: "running" | "pausing" }
    | { readonly state: "paused"; readonly boundary: string }
    | { readonly state: "waiting"; readonly input: OpenInput }
    | { readonly state: "cancelling" }
    | { readonly state: "completed"; readonly output: string | null }
    | { readonly state: "failed"; readonly output: string | null; readonly error: Failure }
    | { readonly state: "cancelled" | "interrupted"; readonly output: string | null }
  );

/** A long run must not fill the page's memory: beyond these the oldest go. Counts; text in UTF-16 units. */
export const LIMITS = { steps: 200, logs: 200, notes: 100, text: 1_000_000 } as const;

export const emptyRun: RunView = {
  state: "queued",
  position: 0,
  run: null,
  crew: null,
  seq: 0,
  model: null,
  attempt: 1,
  tasks: [],
  steps: [],
  notes: [],
  usage: { prompt_tokens: 0, completion_tokens: 0, calls: 0 },
  logs: [],
};

export const isFinal = (state: RunState): boolean =>
  ["completed", "failed", "cancelled", "interrupted"].includes(state);

/**
 * The view after one more frame. Pure; the only place where a run changes.
 *
 * Repeats (`seq` not above the last), unknown types and control frames give the same view back, so
 * `===` tells whether there is anything new to show. A `stream.reset` starts over, except after
 * `evicted`, where what was seen holds and only a gap follows. Cost of an event: the number of
 * tasks plus at most LIMITS.steps, never the length of the text (V8, JSC and SpiderMonkey append
 * to strings as ropes).
 */
export function reduce(view: RunView, frame: Frame): RunView {
  if (frame.type === "stream.reset") return frame.reason === "evicted" ? view : emptyRun;
  if (!("data" in frame) || frame.seq <= view.seq || isFinal(view.state)) return view;
  return { ...apply(view, frame), seq: frame.seq, run: frame.run };
}

function apply(view: RunView, event: RunEvent): RunView {
  if (event.final) return end(view, event as RunEvent & { type: `run.${Ended["state"]}` });
  switch (event.type) {
    case "run.queued":
      return { ...view, crew: event.data.crew, ...(view.state === "queued" && { position: event.data.position }) };
    case "run.started": {
      const { model, attempt, tasks, kept = [] } = event.data;
      // Of what is done again nothing stays, so its notes stand at the task; who asks, asks anew.
      const notes = close(view).notes.map((note) => (kept.includes(note.task!) ? note : { ...note, after: null }));
      return move(
        { ...view, model, attempt, steps: [], notes },
        { state: "running" },
        tasks.map(({ name, agent }) => (kept.includes(name) && find(view, name)) || pending(name, agent)),
      );
    }
    case "run.pausing":
      return move(view, { state: "pausing" });
    case "run.paused":
      return move(view, { state: "paused", boundary: event.data.boundary });
    case "run.cancelling":
      return move(settle(view), { state: "cancelling" });
    case "run.resumed":
      return move(view, { state: "running" });

    case "run.modifying":
      return note(view, event, { kind: "steer", id: event.cause ?? event.id, state: "accepted", change: event.data });
    case "run.modified":
      return amend(view, event.cause, { state: "applied" });
    case "input.requested": {
      const { input, prompt, output, expires } = event.data;
      const asked = note(view, event, {
        kind: "question",
        id: input,
        state: "open",
        prompt,
        output,
        expires,
        text: null,
      });
      return move(asked, { state: "waiting", input: event.data });
    }
    case "input.answered":
      return move(amend(view, event.data.input, { state: "answered", text: event.data.text }), { state: "running" });
    case "input.expired":
      return move(amend(view, event.data.input, { state: "expired" }), { state: "running" });

    case "task.started":
      return withTask(view, event, { state: "running" }, event.data.name);
    case "task.completed":
      return withTask(view, event, { state: "completed", output: event.data.output });
    case "task.failed":
      return withTask(view, event, { state: "failed", error: event.data.error });

    case "llm.started":
      return withStep(view, event, "call", {});
    case "llm.delta": {
      const { kind, text } = event.data;
      if (kind === "tool") return awake(view);
      const field = kind === "thinking" ? "thinking" : "text";
      return withStep(view, event, "call", (call) => ({ [field]: append(call[field], text) }));
    }
    case "llm.completed": {
      const { prompt_tokens = 0, completion_tokens = 0 } = event.data.usage ?? {};
      const usage = {
        prompt_tokens: view.usage.prompt_tokens + prompt_tokens,
        completion_tokens: view.usage.completion_tokens + completion_tokens,
        calls: view.usage.calls + 1,
      };
      return withStep({ ...view, usage }, event, "call", { state: "completed" });
    }
    case "llm.failed":
      return withStep(view, event, "call", { state: "failed" });

    case "tool.started":
      return withStep(view, event, "tool", { tool: event.data.tool, args: event.data.args });
    case "tool.completed":
      return withStep(view, event, "tool", { state: "completed", result: event.data.output });
    case "tool.failed":
      return withStep(view, event, "tool", { state: "failed", result: event.data.error });

    case "log":
      return { ...view, logs: keep(view.logs, event.data, LIMITS.logs) };
    default:
      // Whatever else is told of a task: it is being worked on.
      return event.task === undefined ? view : awake(view);
  }
}

type Standing = RunView extends infer V ? (V extends RunView ? Omit<V, keyof Common> : never) : never;

/** What there is in any of them. */
type AnyOf<U> = { [K in U extends U ? keyof U : never]: U extends { [k in K]: infer V } ? V : never };

type Ended = Extract<Standing, { output: unknown }>;

/** Into another state. A cancel that was accepted is left only by an ending. */
function move(view: RunView, next: Standing, tasks = view.tasks): RunView {
  const { state, position, boundary, input, output, error, ...common } = view as Common & Partial<AnyOf<Standing>>;
  if (state === "cancelling" && !isFinal(next.state)) next = { state };
  return { ...common, tasks, ...next };
}

/** Crew events of a run that seems queued: the log's beginning was evicted. */
const awake = (view: RunView): RunView => (view.state === "queued" ? move(view, { state: "running" }) : view);

function end(view: RunView, { type, data }: RunEvent & { type: `run.${Ended["state"]}` }): RunView {
  const tasks = new Map(view.tasks.map((task) => [task.name, task]));
  for (const { name, agent, output } of data.tasks) {
    const task = tasks.get(name) ?? pending(name, agent);
    tasks.set(name, output === null ? task : { ...task, state: "completed", output });
  }
  const ended = {
    state: type.slice("run.".length),
    output: data.output,
    ...("error" in data && { error: data.error }),
  } as Ended;
  const cut = ended.state === "completed" ? "completed" : "failed";
  return move(
    { ...settle(view), usage: data.usage ?? view.usage },
    ended,
    [...tasks.values()].map((task) => (task.state === "running" ? { ...task, state: cut } : task)),
  );
}

type Unplaced<N> = N extends Note ? Omit<N, keyof Place> : never;

/** Adds a note behind what is being written. */
function note(view: RunView, { task: name }: RunEvent, said: Unplaced<Note>): RunView {
  const task = view.tasks.findLast((task) => (name ? task.name === name : task.state === "running"));
  const after = (task ?? view).steps.at(-1)?.id ?? null;
  return { ...view, notes: keep(view.notes, { ...said, task: task?.name ?? null, after }, LIMITS.notes) };
}

/** Changes the notes whose `key` is that. */
const amend = (view: RunView, is: string | undefined, change: Partial<Note>, key: "id" | "state" = "id"): RunView => ({
  ...view,
  notes: view.notes.map((note) => (note[key] === is ? ({ ...note, ...change } as Note) : note)),
});

/** The open question is void. */
const close = (view: RunView): RunView => amend(view, "open", { state: "closed" }, "state");

/** What is still pending stays undone: the run is over, or as good as that. */
const settle = (view: RunView): RunView => amend(close(view), "accepted", { state: "unapplied" }, "state");

const pending = (name: string, agent: string): TaskView => ({
  name,
  agent,
  state: "pending",
  steps: [],
  output: null,
  error: null,
});

const find = (view: RunView, name: string): TaskView | undefined => view.tasks.find((task) => task.name === name);

const keep = <T>(list: readonly T[], item: T, limit: number): readonly T[] => [...list.slice(1 - limit), item];

const append = (text: string, more: string): string => (text.length < LIMITS.text ? text + more : text);

type Update<T> = Partial<T> | ((before: T) => Partial<T>);

const changed = <T extends object>(before: T, change: Update<T>): T => ({
  ...before,
  ...(typeof change === "function" ? change(before) : change),
});

/** Changes the task of that name, which is appended if there is none. */
function withTask(view: RunView, event: RunEvent, change: Update<TaskView>, name = event.task): RunView {
  const next = awake(view);
  if (name === undefined) return next;
  const tasks = find(next, name) ? next.tasks : [...next.tasks, pending(name, event.agent ?? "")];
  return { ...next, tasks: tasks.map((task) => (task.name === name ? changed(task, change) : task)) };
}

type StepOf<Kind extends Step["kind"]> = Extract<Step, { kind: Kind }>;

/** Changes the step of that kind and id, which is appended if there is none. */
function withStep<Kind extends Step["kind"]>(
  view: RunView,
  event: RunEvent & { readonly data: { readonly call: string } },
  kind: Kind,
  change: Update<StepOf<Kind>>,
): RunView {
  const id = event.data.call;
  const into = (steps: readonly Step[]): readonly Step[] => {
    const at = steps.findLastIndex((step) => step.id === id && step.kind === kind);
    const step = (steps[at] ?? { ...FRESH[kind], id }) as StepOf<Kind>;
    const next = changed(step, change);
    return at < 0 ? keep(steps, next, LIMITS.steps) : steps.with(at, next);
  };
  return event.task === undefined
    ? { ...awake(view), steps: into(view.steps) }
    : withTask(view, event, (task) => ({ steps: into(task.steps) }));
}

const FRESH: { readonly [Kind in Step["kind"]]: Omit<StepOf<Kind>, "id"> } = {
  call: { kind: "call", state: "running", text: "", thinking: "" },
  tool: { kind: "tool", state: "running", tool: "", args: null, result: null },
};
