import type { Aside, Change, Failure, OpenInput, RunState, Usage } from "./protocol.ts";

export type Progress = "running" | "completed" | "failed";

interface StepBase {
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

interface WorkBase extends Place {
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

export interface Common {
  readonly run: string | null;
  readonly crew: string | null;
  /** Last event taken in; 0 for none. */
  readonly seq: number;
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

/** A long run must not fill the page's memory: beyond these the oldest go. Counts; text in UTF-16 units. */
export const LIMITS = { work: 500, steps: 200, logs: 200, notes: 100, text: 1_000_000 } as const;

export const emptyRun: RunView = {
  state: "queued",
  position: 0,
  run: null,
  crew: null,
  seq: 0,
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

export const isFinal = (state: RunState): boolean =>
  ["completed", "failed", "cancelled", "interrupted"].includes(state);
