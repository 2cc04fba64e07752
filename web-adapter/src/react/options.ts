import type { ChatModelRunResult, ThreadMessage } from "@assistant-ui/react";
import type { RunView } from "../view.ts";

export interface CrewAdapterOptions {
  /** What a brief becomes; by default the last user message's text as `{message}`. */
  readonly toInputs?: (messages: readonly ThreadMessage[]) => Readonly<Record<string, unknown>>;
  /** What a run's inputs were as a message: the inverse of `toInputs`. By default `message`. */
  readonly toText?: (inputs: Readonly<Record<string, unknown>>) => string;
  /** What a run becomes; by default `toResult`. */
  readonly toResult?: (view: RunView) => ChatModelRunResult;
  /** Which crew of the sidecar; by default its default one. */
  readonly crew?: string;
  /** Names of the tasks after which the crew asks before it goes on; looked up with each start. */
  readonly review?: () => readonly string[];
  /**
   * What becomes of a message that is sent while a run is live:
   *
   * - `steer` (default): it goes to the crew, as the answer to its open question or as an instruction
   * - `queue`: it starts a run when the live one has ended
   * - `interrupt`: the live run is cancelled, then it starts one
   * - `reject`: it is refused with the code `busy`
   */
  readonly whileLive?: "steer" | "queue" | "interrupt" | "reject";
  /**
   * Name of the conversation in the client's storage; looked at once. A component that turns to another one takes
   * the name as its `key`.
   */
  readonly conversation?: string;
  /** Ms that rebuilding the conversation may take; runs that were not told by then are left out. */
  readonly patience?: number;
}
