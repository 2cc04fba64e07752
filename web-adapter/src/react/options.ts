import type { ChatModelRunResult, ExternalStoreAdapter, ThreadMessage, ThreadMessageLike } from "@assistant-ui/react";
import type { CrewError } from "../errors.ts";
import type { RunEvent } from "../protocol.ts";
import type { QuestionView, RunView } from "../view.ts";

export interface CrewAdapterOptions {
  /** What a brief becomes; by default the last user message's text as `{message}`. */
  readonly toInputs?: (messages: readonly ThreadMessage[], thread: string) => Readonly<Record<string, unknown>>;
  /** What a run's inputs were as a message: the inverse of `toInputs`. By default `message`. */
  readonly toText?: (inputs: Readonly<Record<string, unknown>>) => string;
  /** What a run becomes; by default `toResult`. One that could not be started is a failed view without a run. */
  readonly toResult?: (view: RunView) => ChatModelRunResult;
  /** What a view is as text, where `toResult` is the default one: by default the words being written, then the output. */
  readonly text?: (view: RunView) => string;
  /** Whether the agents' words and thinking are `reasoning` parts, where `toResult` is the default one; by default they are. */
  readonly reasoning?: boolean;
  /** Which crew of the sidecar; by default its default one. A function is asked with each start. */
  readonly crew?: string | ((thread: string) => string | undefined);
  /** Names of the tasks after which the crew asks before it goes on; looked up with each start. */
  readonly review?: (thread: string) => readonly string[];
  /**
   * What becomes of a message that is sent while a run is live:
   *
   * - `steer` (default): it goes to the crew, as the answer to its open question or as an instruction
   * - `queue`: it starts a run when the live one has ended
   * - `interrupt`: the live run is cancelled, then it starts one
   * - `reject`: it is refused with the code `busy`
   */
  readonly whileLive?: "steer" | "queue" | "interrupt" | "reject";
  /** Under which name the client's storage keeps which thread is shown; for several chats in one page. */
  readonly conversation?: string;
  /** Ms that rebuilding the conversation may take; runs that were not told by then are left out. */
  readonly patience?: number;
  /** Each event of a run that is followed, in the task in which it arrives. */
  readonly onEvent?: (event: RunEvent, run: string) => void;
  /**
   * Once per run and page, when it has ended; `restored`: it had before this page could see it live, as
   * after a reload.
   */
  readonly onFinish?: (view: RunView, about: { readonly restored: boolean }) => void;
  /** What could not be started, loaded or commanded. */
  readonly onError?: (error: CrewError) => void;
  /** Once per question and page. */
  readonly onQuestion?: (question: QuestionView, run: string) => void;
}

export interface CrewRuntimeOptions extends CrewAdapterOptions {
  /**
   * The thread that is shown, from the page's address for instance; undefined: a new one. Without
   * this property the tab remembers it.
   */
  readonly threadId?: string | undefined;
  /** Another thread is to be shown, or the new one was given its id; undefined: a new one. */
  readonly onThreadIdChange?: (threadId: string | undefined) => void;
  /** How many threads the list has, those with the newest runs; by default 200. */
  readonly listed?: number;
  /** What every conversation begins with; not sent to the crew unless `toInputs` does. */
  readonly initialMessages?: readonly ThreadMessageLike[];
  readonly suggestions?: NonNullable<ExternalStoreAdapter["suggestions"]>;
  /** assistant-ui's own: attachments, feedback, speech, dictation. */
  readonly adapters?: Omit<NonNullable<ExternalStoreAdapter["adapters"]>, "threadList">;
}

/** Of an adapter for a LocalRuntime, which has options of its own for the rest. */
export type LocalOptions = CrewAdapterOptions & Pick<CrewRuntimeOptions, "initialMessages">;
