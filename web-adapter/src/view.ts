import type { Aside, Change, Failure, OpenInput, Origin, Retry, RunSnapshot, RunState, Usage } from "./protocol.ts";

export type Progress = "running" | "completed" | "failed";

/** When it was, by the worker's clock (an event's `ts`); Unix ms. null: not (yet), or what told of it was evicted. */
export interface Span {
  readonly started: number | null;
  readonly ended: number | null;
}

/** States in which nothing is done before somebody says so. */
export type Standstill = "paused" | "waiting";

export const untold: Span = { started: null, ended: null };

interface StepBase extends Span {
  readonly id: string;
  readonly state: Progress;
  /** Who does it: with delegation not always the agent whose task it is. */
  readonly agent: string | null;
}

/** One model call, as far as it has been written. */
export interface CallView extends StepBase {
  readonly kind: "call";
  readonly text: string;
  readonly thinking: string;
  /** When it had thought, and began to write or ended; Unix ms. null: it has not, or did not think. */
  readonly thought: number | null;
  /** Its client waits to try again, since `ts` (Unix ms); null: it doesn't. A call that CrewAI asks anew has failed. */
  readonly retry: (Retry & { readonly ts: number }) | null;
}

export interface ToolView extends StepBase {
  readonly kind: "tool";
  readonly tool: string;
  readonly args: unknown;
  /** Its output, or what went wrong. */
  readonly result: string | null;
}

/** Something small that happened on the way: a guardrail, a memory, or whatever CrewAI tells of under a name of its own. */
export interface AsideView extends StepBase {
  readonly kind: "aside";
  /** `event`: CrewAI's own name is in the data, as `kind`. */
  readonly word: Aside | "event";
  /** What was told when it began, and over it what was told when it ended. */
  readonly data: Readonly<Record<string, unknown>>;
}

export type Step = CallView | ToolView | AsideView;

/** Where something stands: in that piece of work, behind that step of it. */
export interface Place {
  /** Its `tid`; null for the run itself. */
  readonly in: string | null;
  /** Id of the last step there was; null for none. */
  readonly after: string | null;
}

interface WorkBase extends Place, Span {
  /** Unique in the run. The name, in logs that are older than this. */
  readonly tid: string;
  readonly name: string;
  readonly state: "pending" | Progress;
  /** What happened in it and in none of those inside it, in the order in which it began. */
  readonly steps: readonly Step[];
  readonly output: string | null;
  readonly error: string | null;
}

export interface TaskView extends WorkBase {
  readonly kind: "task";
  /** Whoever gets to work on it. */
  readonly agent: string;
}

/** A task beside the crew's own, which CrewAI makes for itself: that of the crew's planner. */
export interface HelperView extends WorkBase {
  readonly kind: "helper";
  readonly agent: string;
}

/** What has tasks, crews or methods inside it. The run's own crew is none. */
export interface GroupView extends WorkBase {
  readonly kind: "crew" | "flow" | "method";
  /** Where a router sent the flow. */
  readonly route: string | null;
}

export type WorkView = TaskView | HelperView | GroupView;

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
export interface QuestionView extends Place, Omit<OpenInput, "input"> {
  readonly kind: "question";
  readonly id: string;
  readonly state: "open" | "answered" | "expired" | "closed";
  /** The answer; "" accepted. */
  readonly text: string | null;
}

export type Note = SteerView | QuestionView;

export interface Common extends Span {
  readonly run: string | null;
  readonly crew: string | null;
  /** Last event taken in; 0 for none. */
  readonly seq: number;
  /** Its cursor: `follow(run, { after: id })` goes on behind it. null for none. */
  readonly id: string | null;
  readonly inputs: Readonly<Record<string, unknown>>;
  /** The conversation that it is in, and the run there whose reply it follows. */
  readonly thread: string | null;
  readonly after: string | null;
  /** The run and task that it begins at; null: it is no fork. */
  readonly forked: Origin | null;
  /** When it was queued; `started` is its first attempt's. */
  readonly created: number | null;
  /** When it came into its state; Unix ms. null: not known. */
  readonly since: number | null;
  /** Ms that it has stood, up to `since`: how long it stands now is beside that. */
  readonly stood: Readonly<Record<Standstill, number>>;
  readonly model: string | null;
  readonly attempt: number;
  /** Tasks and helpers, crews, methods and flows, each behind the one that it is inside. */
  readonly work: readonly WorkView[];
  /** How many tasks the run's own crew has, which are the first ones. None: it is a flow, or their telling was evicted. */
  readonly planned: number;
  /** Those of them that are tasks: names may come twice, a `tid` does not. */
  readonly tasks: readonly TaskView[];
  /** Steps of none of them. */
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
    | { readonly state: "completed"; readonly output: string | null; readonly json?: unknown }
    | { readonly state: "failed"; readonly output: string | null; readonly error: Failure }
    | { readonly state: "cancelled" | "interrupted"; readonly output: string | null }
  );

/**
 * A long run must not fill the page's memory: beyond these the oldest go. Counts; text in UTF-16 units;
 * parts: of a message, for what was done.
 */
export const LIMITS = { work: 500, steps: 200, logs: 200, notes: 100, text: 1_000_000, parts: 500 } as const;

const blank: Common = {
  run: null,
  crew: null,
  seq: 0,
  id: null,
  inputs: {},
  thread: null,
  after: null,
  forked: null,
  created: null,
  since: null,
  stood: { paused: 0, waiting: 0 },
  ...untold,
  model: null,
  attempt: 1,
  work: [],
  planned: 0,
  tasks: [],
  steps: [],
  notes: [],
  usage: { prompt_tokens: 0, completion_tokens: 0, calls: 0 },
  logs: [],
};

export const emptyRun: RunView = { ...blank, state: "queued", position: 0 };

export const isFinal = (state: RunState): boolean =>
  ["completed", "failed", "cancelled", "interrupted"].includes(state);

/**
 * A first picture of a run, for a page that is rendered on a server: its tasks and their outputs,
 * without steps. The first event of the run takes its place.
 */
export function viewOf(snapshot: RunSnapshot): RunView {
  const { run, crew, state, model, attempt, inputs, thread, after, forked, created, started, finished } = snapshot;
  const { usage, input, output, error } = snapshot;
  // What they are in is not told, so they are in the run.
  const place = { in: null, after: null };
  const tasks = snapshot.tasks.map(({ tid, name, agent, state, output }): TaskView => ({
    ...place,
    kind: "task",
    tid: tid ?? name,
    name,
    agent,
    state,
    output,
    steps: [],
    error: null,
    started: null,
    ended: null,
  }));
  const notes: Note[] = [];
  if (input) {
    const { input: id, ...asked } = input;
    notes.push({ ...asked, ...place, kind: "question", id, state: "open", text: null });
  }
  const planned = snapshot.tasks.filter((task) => task.in === undefined).length;
  const told = { run, crew, model, attempt, inputs, thread, after, forked, created, started, ended: finished, usage };
  const common = { ...blank, ...told, planned, work: tasks, tasks, notes };
  switch (state) {
    case "queued":
    case "starting":
      return { ...common, state: "queued", position: snapshot.position ?? 0 };
    case "paused":
      return { ...common, state, boundary: "" };
    case "waiting":
      return { ...common, state, input: input! };
    case "failed":
      return { ...common, state, output, error: error! };
    case "completed":
    case "cancelled":
    case "interrupted":
      return { ...common, state, output };
    default:
      return { ...common, state };
  }
}

/**
 * How long it took or, while it goes on, has taken by `now` (ms, a page's `Date.now()`); without `now`
 * only what has ended has a length. null: not known.
 */
export const seconds = ({ started, ended }: Span, now: number | null = null): number | null => {
  const end = ended ?? now;
  return started === null || end === null ? null : Math.max(0, end - started) / 1000;
};

/** What a run is as text: while it works what is being written, at the end its output. */
export const textOf = (view: RunView): string =>
  "output" in view ? (view.output ?? "") : (beingWritten(view)?.text ?? "");

/** The latest words of what is at work (of the last one, when several are). */
export function beingWritten(view: RunView): CallView | undefined {
  const at = view.work.findLast(({ state, steps }) => state === "running" && steps.length > 0);
  return (at ?? view).steps.findLast((step): step is CallView => step.kind === "call" && step.text !== "");
}

/** The question that waits for an answer. */
export const openQuestion = (view: RunView): QuestionView | null =>
  view.notes.find((note): note is QuestionView => note.kind === "question" && note.state === "open") ?? null;
