import type { Ack, Frame, Refusal } from "./protocol.ts";

/**
 * One open subscription to one run.
 *
 * `frames` ends when the stream has ended well (`stream.end`), and throws a CrewError when it broke:
 * a silent one (`lost`) is worth coming back for, any other is the server's last word.
 */
export interface Connection {
  readonly frames: AsyncIterable<Frame>;
  close(): void;
  /** Sends a command the same way, where the transport goes both ways. Rejects with `lost`. */
  command?(id: string, json: string): Promise<Ack | Refusal>;
}

/** WebSocket and server-sent events differ here and nowhere above. */
export interface Transport {
  readonly name: "ws" | "sse";
  /**
   * Resolves once the first frame is there, which shows that no proxy swallows the rest. Rejects
   * with a CrewError as in Connection, `unreachable` when it never opened; or with the signal's reason.
   */
  connect(run: string, after: string | undefined, signal: AbortSignal): Promise<Connection>;
}

/** Waits and buffers, in ms and frames. */
export interface Limits {
  /** From the attempt to the first frame. */
  readonly open: number;
  /** Without a frame: two pings (10 s apart) and some. */
  readonly silence: number;
  /** For the ack of a command. */
  readonly ack: number;
  /** Frames that arrived and were not yet taken; beyond it the socket closes and comes back at the cursor. */
  readonly inbox: number;
  /** Commands without their ack. */
  readonly outstanding: number;
  /** Further tries with the same id when an ack got lost. */
  readonly retries: number;
}

export const LIMITS_DEFAULT: Limits = {
  open: 4_000,
  silence: 25_000,
  ack: 5_000,
  inbox: 20_000,
  outstanding: 64,
  retries: 2,
};

/** `?run=…&after=…`: a query, unlike a Last-Event-ID header, costs no CORS preflight. */
export const place = (run: string, after: string | undefined): string =>
  `?run=${encodeURIComponent(run)}${after === undefined ? "" : `&after=${encodeURIComponent(after)}`}`;
