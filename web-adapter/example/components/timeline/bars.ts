/**
 * What a timeline is made of. All times are events' `ts`: Unix ms by the worker's clock, unrounded, so that a
 * bar can be held against the log. Nothing here is ever changed once it was given: what has become
 * different is another object, what has not is the same.
 */

/**
 * `queue`: before it began; `attempt`: a worker at it; `gap`: nothing was going on; `agent`: somebody at a
 * task. These and the five above a call are spans that others lie in; of the rest several may be at once, in
 * lanes.
 */
export type BarKind =
  | "queue"
  | "attempt"
  | "gap"
  | "pause"
  | "flow"
  | "method"
  | "crew"
  | "task"
  | "agent"
  | "call"
  | "retry"
  | "tool"
  | "aside"
  | "wait";

export interface Tokens {
  readonly prompt: number;
  readonly completion: number;
  /** Of the prompt's, those that the provider had in its cache. */
  readonly cached: number;
}

/** `cut`: something else ended it: a crash, a stop, another attempt. */
export type BarState = "running" | "completed" | "failed" | "cut";

export interface Bar {
  /** Its kind, and the `seq` of the event that it was first heard of by. */
  readonly id: string;
  readonly kind: BarKind;
  /** The agent, the task, the tool, the model …, as the log has it. */
  readonly label: string;
  /** Who does it. */
  readonly agent: string | null;
  /** Of a call. */
  readonly model: string | null;
  readonly start: number;
  /** null: it goes on, as far as was heard. */
  readonly end: number | null;
  /** Of a call: when its first token came. */
  readonly first: number | null;
  /** Of a call, and of what calls lie in: theirs together. null: none was told of. */
  readonly tokens: Tokens | null;
  /** How often it was tried again: a call by its model, a task by its guardrails. */
  readonly retries: number;
  readonly state: BarState;
  /** What went wrong, in its own words. */
  readonly error: string | null;
  /** The row that it is in. */
  readonly row: string;
  /** From 0: bars of one lane do not overlap, spans aside. */
  readonly lane: number;
  readonly depth: number;
  /** The execution that it is of. */
  readonly tid: string | null;
  /** False: its beginning is no longer in the log, and `start` is when it was first heard of. */
  readonly whole: boolean;
  /** The `seq` of its first event, and of its last one so far. */
  readonly from: number;
  readonly to: number;
  /** What its events name it by, beside `tid`: a call, an input, an agent; "" for none. */
  readonly key: string;
}

export type RowKind = "run" | "flow" | "method" | "crew" | "task" | "agent";

export interface Row {
  /** The run's is "", an execution's its `tid`, another agent's in a task that and its name. */
  readonly id: string;
  readonly kind: RowKind;
  /** The agent of a task; the name of what has none. */
  readonly label: string;
  /** The task's name; "" for none. */
  readonly name: string;
  readonly depth: number;
  readonly tid: string | null;
  /** `kept`: it was done before, by an earlier attempt or by the run that this one is a fork of. */
  readonly state: "pending" | "kept" | BarState;
  readonly tokens: Tokens | null;
  readonly calls: number;
  /** How many lanes its bars take; at least 1. */
  readonly lanes: number;
  /** In the order in which they were first heard of. */
  readonly bars: readonly Bar[];
}

/** How long something was going on, side by side or not, and since when it is now: ms, Unix ms. */
export interface Busy {
  readonly ms: number;
  readonly since: number | null;
}

export interface Timeline {
  /** The earliest and the latest `ts`; 0 and 0 before the first event. */
  readonly start: number;
  readonly end: number;
  /** Whether more may come. */
  readonly live: boolean;
  /** Each behind the one that it is in. */
  readonly rows: readonly Row[];
  /** Those of all rows, in their order. */
  readonly bars: readonly Bar[];
  readonly calls: number;
  readonly tokens: Tokens;
  readonly models: Busy;
  readonly tools: Busy;
  /** Waiting for an answer. */
  readonly people: Busy;
  readonly paused: Busy;
}

/** Spans have others lying in them and no lane of their own. */
export const isSpan = (kind: BarKind): boolean =>
  !["call", "retry", "tool", "aside", "wait", "pause", "gap"].includes(kind);
