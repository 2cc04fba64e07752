/**
 * The wire, as docs/PROTOCOL.md has it. Types only, and the few numbers that both ends agree on.
 *
 *     event           what happened to a run: numbered, logged, the same bytes on every route
 *     control frame   about the subscription: never numbered, never logged
 *     command / ack   what a client asks, and that it was logged (not that it is done)
 *
 * A reader ignores types and fields that it does not know.
 */

/** WebSocket subprotocol (RFC 6455 section 1.9). */
export const SUBPROTOCOL = "crew.v1";

/** A subscription hears something at least this often (`stream.ping`), ms. */
export const PING = 10_000;

/** Tokens and model calls, summed over a run. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly calls: number;
}

/** `tid`: the task's execution, unique in the run; `in`: that of the one that it is inside. Older logs have neither. */
export interface TaskName {
  readonly name: string;
  readonly agent: string;
  readonly tid?: string;
  readonly in?: string;
}

/** Carried by every final event, whichever way the run ended. */
export interface Ending {
  /** null: it gave none. */
  readonly output: string | null;
  readonly tasks: readonly (TaskName & { readonly output: string | null })[];
  readonly usage: Usage;
  readonly seconds: number;
  /** Ids of commands that were accepted and never took effect. */
  readonly unapplied: readonly string[];
}

export type FailureCode = "error" | "timeout" | "crashed" | "out_of_memory" | "bad_crew";

/** The last five where a provider or its client said so. */
export interface Failure {
  readonly code: FailureCode;
  readonly message: string;
  /** HTTP's. */
  readonly status?: number;
  /** The provider's own code, as `invalid_api_key`. */
  readonly reason?: string;
  /** Host and port that was asked. */
  readonly server?: string;
  /** As CrewAI calls them. */
  readonly provider?: string;
  readonly model?: string;
  /** All that was said. */
  readonly details?: string;
}

/** A question that the crew waits on. */
export interface OpenInput {
  readonly input: string;
  readonly prompt: string;
  /** What the question is about; empty where it is about nothing that was made. */
  readonly output: string | null;
  /** Unix ms; null for never. */
  readonly expires: number | null;
  /** Texts that a flow knows where to go on with; any other text may be the answer too. */
  readonly options?: readonly string[];
  /** The flow's method that wants to know. */
  readonly method?: string;
  /** What whoever asks has put beside it, in words of their own. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** The task, by its name, of a run that a fork begins at. */
export interface Origin {
  readonly run: string;
  readonly task: string;
}

/**
 * What `modify` changes. `now`: the reply being written is cut off and asked for again. `task`: said
 * to whoever does that task, and to nobody else.
 */
export type Change =
  | { readonly instruction: string; readonly now?: boolean; readonly task?: string }
  | { readonly task: string; readonly description: string }
  | { readonly inputs: Readonly<Record<string, unknown>> };

/** A model's client waits until it tries a request again. */
export interface Retry {
  /** 1 for the first wait of a call. */
  readonly attempt: number;
  /** Seconds, from the event's `ts` on. */
  readonly wait: number | null;
  /** HTTP's, of the answer that was none. */
  readonly status: number | null;
  /** In a word or two: `rate limit`, `overloaded`, `timeout`, `no connection`, … */
  readonly reason: string;
}

/** What has a word of its own, told as it begins and as it ends, and no more to it here than what a person would want to see. */
export type Aside = "guardrail" | "memory" | "knowledge" | "mcp" | "reasoning" | "skill" | "a2a";

/** `data` of each event type. */
export type EventData = NamedData & {
  readonly [Type in `${Aside}.${"started" | "completed" | "failed"}`]: Readonly<Record<string, unknown>>;
};

interface NamedData {
  "run.queued": {
    readonly crew: string;
    readonly inputs: Readonly<Record<string, unknown>>;
    readonly review: readonly string[];
    readonly position: number;
    readonly thread?: string;
    /** The run of the thread that it follows; "" and null: none. */
    readonly after?: string | null;
    readonly forked?: Origin;
  };
  "run.started": {
    readonly model: string;
    readonly attempt: number;
    readonly tasks: readonly (TaskName & { readonly output?: string })[];
    /** From attempt 2 on, and of a fork: names of the tasks that are not run again. */
    readonly kept?: readonly string[];
    /** Of a fork, whose kept tasks have their `output` here. */
    readonly forked?: Origin;
    /** From attempt 2 on: first and last seq of the unfinished task's events. */
    readonly superseded?: readonly [number, number];
  };
  "run.pausing": object;
  "run.paused": { readonly boundary: "token" | "llm" | "tool" | "task" };
  "run.resumed": object;
  "run.modifying": Change;
  "run.modified": Change & { readonly applied: "model_call" | "task" };
  "run.cancelling": { readonly reason?: string | null };
  /** `json`: an object or a list, there only where the output is structured. */
  "run.completed": Ending & { readonly json?: unknown };
  "run.failed": Ending & { readonly error: Failure };
  "run.cancelled": Ending & { readonly reason?: string | null };
  "run.interrupted": Ending;
  "input.requested": OpenInput;
  "input.answered": { readonly input: string; readonly text: string };
  "input.expired": { readonly input: string };
  "task.started": { readonly name: string; readonly index: number; readonly of: number };
  "task.completed": { readonly output: string };
  "task.failed": { readonly error: string };
  /** A crew inside a flow, or one of several. */
  "crew.started": { readonly name: string; readonly tasks: readonly TaskName[] };
  "crew.completed": { readonly output?: string | null };
  "crew.failed": { readonly error: string };
  "flow.started": { readonly name: string };
  "flow.completed": { readonly output?: string | null };
  "flow.failed": { readonly error: string };
  "method.started": { readonly name: string };
  /** `route`: where a router sent the flow. */
  "method.completed": { readonly output?: string | null; readonly route?: string | null };
  "method.failed": { readonly error: string };
  "agent.started": { readonly role: string };
  "agent.completed": { readonly output: string };
  "agent.failed": { readonly error: string };
  "llm.started": { readonly call: string; readonly model: string };
  "llm.retrying": Retry & { readonly call: string };
  "llm.delta": { readonly call: string; readonly text: string; readonly kind: "text" | "thinking" | "tool" };
  "llm.completed": {
    readonly call: string;
    /** `cached_tokens`: of the prompt's; absent for none. */
    readonly usage: {
      readonly prompt_tokens: number;
      readonly completion_tokens: number;
      readonly cached_tokens?: number;
    } | null;
    readonly finish_reason: string | null;
  };
  "llm.failed": { readonly call: string; readonly error: string };
  "tool.started": { readonly call: string; readonly tool: string; readonly args: unknown };
  "tool.completed": { readonly call: string; readonly output: string; readonly seconds: number };
  "tool.failed": { readonly call: string; readonly error: string };
  step: {
    readonly thought?: string | null;
    readonly tool?: string | null;
    readonly tool_input?: unknown;
    readonly result?: string | null;
    readonly output?: string | null;
  };
  log: { readonly stream: string; readonly text: string };
  /** Whatever has no word: CrewAI's own name of it, and a digest. */
  event: { readonly kind: string } & Readonly<Record<string, unknown>>;
}

export type EventType = keyof EventData;

export interface Envelope<Type extends string, Data> {
  readonly type: Type;
  readonly run: string;
  /** Place in the run's log, from 1, without gaps. */
  readonly seq: number;
  /** The cursor: opaque, to be handed back as `after`. */
  readonly id: string;
  /** When it was born in the worker; Unix ms with microseconds. */
  readonly ts: number;
  /** When it was appended; Unix ms with microseconds. */
  readonly at: number;
  readonly task?: string;
  readonly agent?: string;
  readonly method?: string;
  /** The execution of a task, method, crew or flow that it belongs to, unique in the run, names being not; opaque. */
  readonly tid?: string;
  /** The execution that this one happens inside. */
  readonly in?: string;
  /** Id of the command that led to it. */
  readonly cause?: string;
  /** On the last event of a run and no other. */
  readonly final?: true;
  readonly data: Data;
}

export type RunEvent = { [Type in EventType]: Envelope<Type, EventData[Type]> }[EventType];

/** Why a cursor could not be honoured; everything that is still kept follows. */
export type ResetReason = "malformed" | "epoch" | "evicted" | "ahead";

export type ControlFrame =
  | {
      readonly type: "stream.hello";
      readonly protocol: number;
      readonly run: string;
      readonly epoch: string;
      readonly head: number;
      readonly state: RunState;
      readonly server_time: number;
      readonly trouble?: string;
    }
  | { readonly type: "stream.live"; readonly run: string; readonly seq: number }
  | {
      readonly type: "stream.ping";
      readonly run?: string;
      readonly seq: number;
      readonly server_time: number;
      /** Why events cannot be stored at the moment; runs stand still until they can. Absent: they can. */
      readonly trouble?: string;
    }
  | { readonly type: "stream.reset"; readonly run: string; readonly reason: ResetReason; readonly from: number }
  | { readonly type: "stream.end"; readonly run: string; readonly id: string };

/** What a subscription delivers. */
export type Frame = RunEvent | ControlFrame;

export type RunState =
  | "queued"
  | "starting"
  | "running"
  | "pausing"
  | "paused"
  | "waiting"
  | "cancelling"
  | "completed"
  | "failed"
  | "cancelled"
  | "interrupted";

/** A task as a snapshot has it. */
export interface SnapshotTask extends TaskName {
  readonly state: "pending" | "running" | "completed" | "failed";
  readonly output: string | null;
}

/** A run as it stands: it holds good for `id`, from which `follow` gives all the rest and nothing twice. */
export interface RunSnapshot {
  readonly run: string;
  readonly crew: string;
  readonly state: RunState;
  /** Cursor and place of the last event; null and 0 before the first. */
  readonly id: string | null;
  readonly seq: number;
  /** Of a queued run: its number in line, from 1; 0: it starts at once. */
  readonly position?: number;
  /** Unix ms, as are the next two. */
  readonly created: number;
  readonly started: number | null;
  readonly finished: number | null;
  readonly model: string | null;
  readonly attempt: number;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly review: readonly string[];
  readonly thread: string | null;
  /** The run of the thread that it follows. */
  readonly after: string | null;
  /** Where a fork began. */
  readonly forked: Origin | null;
  readonly tasks: readonly SnapshotTask[];
  /** The question that waits for an answer. */
  readonly input: OpenInput | null;
  readonly usage: Usage;
  readonly output: string | null;
  readonly error: Failure | null;
  /** Of a cancel. */
  readonly reason: string | null;
  /** One of many in a brief answer, or in one that was too long: without outputs, with the beginnings of its inputs. */
  readonly truncated?: true;
}

export interface ThreadInfo {
  readonly thread: string;
  readonly title: string;
  /** Unix ms, as is `updated`. */
  readonly created: number;
  readonly updated: number;
  /** How many. */
  readonly runs: number;
  /** The live run's, else the newest's. */
  readonly state: RunState;
}

export interface ThreadRuns extends Omit<ThreadInfo, "runs"> {
  /** Oldest first. */
  readonly runs: readonly RunSnapshot[];
  /** How many older ones are not in `runs`, which has a thousand at most. */
  readonly left_out?: number;
}

export interface RunPage {
  /** Newest first; behind the first MiB they are `truncated`. */
  readonly runs: readonly RunSnapshot[];
  /** What to ask for as `before`; null: these were the last. */
  readonly next: string | null;
  /** Where they were asked for: how many runs are in each state, on whichever page. */
  readonly counts?: Readonly<Partial<Record<RunState, number>>>;
}

export interface ThreadPage {
  /** Those with the newest `updated` first. */
  readonly threads: readonly ThreadInfo[];
  /** What to ask for as `before`; null: these were the last. */
  readonly next: string | null;
}

export interface CrewInfo {
  readonly name: string;
  readonly kind: "crew" | "flow";
  readonly tasks: readonly TaskName[];
  /** Names of what its templates want. */
  readonly inputs: readonly string[];
  readonly model: string | null;
  /** Where its model's key comes from. */
  readonly key?: string | null;
  /** Where it was found. */
  readonly found?: string | null;
  /** Why it can't be built. */
  readonly error?: string;
}

/** A command without its id, which the client mints. */
export type Command =
  | {
      readonly cmd: "start";
      readonly crew?: string | undefined;
      readonly inputs?: Readonly<Record<string, unknown>>;
      readonly review?: readonly string[] | undefined;
      /** 1 to 64 of `A-Za-z0-9._:-`: the conversation that the run belongs to, made by its first run. */
      readonly thread?: string | undefined;
      /** The thread's, at most 200 characters; by default its first run's first words. */
      readonly title?: string | undefined;
      /** The run of the thread whose reply this one follows; "": none, it begins anew. By default the newest. */
      readonly after?: string | undefined;
      /** A task, by name or `tid`, of the run that this one is a fork of: what comes before is kept. */
      readonly from?: Origin | undefined;
      /** Beside a live run of the same thread, which is `illegal_state` otherwise. */
      readonly parallel?: boolean | undefined;
    }
  | { readonly cmd: "pause" | "resume"; readonly run: string }
  | { readonly cmd: "cancel"; readonly run: string; readonly reason?: string | undefined }
  | ({ readonly cmd: "modify"; readonly run: string } & Change)
  | { readonly cmd: "answer"; readonly run: string; readonly input: string; readonly text: string }
  | { readonly cmd: "status"; readonly run: string }
  | { readonly cmd: "list"; readonly state?: RunState; readonly limit?: number };

export interface WireError {
  readonly code: string;
  readonly message: string;
  /** The same request may succeed later. */
  readonly temporary: boolean;
}

export interface Ack {
  readonly type: "command.ack";
  readonly id: string;
  readonly ok: true;
  readonly run?: string;
  readonly seq?: number;
  /** This id was acked before; nothing happened twice. */
  readonly duplicate?: true;
  /** The run was already in the state asked for. */
  readonly noop?: true;
  readonly result?: unknown;
}

export interface Refusal {
  readonly type: "command.ack";
  /** null when the frame was too broken to tell. */
  readonly id: string | null;
  readonly ok: false;
  readonly error: WireError;
}

/** What a million tokens cost. */
export interface ModelPrices {
  readonly input: number;
  readonly output: number;
  /** Of input tokens that the provider had in its cache; without, they cost what others do. */
  readonly cached?: number;
}

/** The user's own table: what is not in it has no price. */
export interface Prices {
  /** ISO 4217's code. */
  readonly currency: string;
  /** By the model's name in `llm.started`. */
  readonly models: Readonly<Record<string, ModelPrices>>;
  /** Why it is empty, though there is a file. */
  readonly error?: string;
}
