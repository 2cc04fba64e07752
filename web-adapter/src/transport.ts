import type { Ack, Frame, Refusal } from "./protocol.ts";

/** Sends a command and gives its ack; rejects with a CrewError. The signal aborts when nobody waits any more. */
export type Send = (id: string, json: string, until: AbortSignal) => Promise<Ack | Refusal>;

/** Where to go for `path`, with a ticket where one is needed. */
export type Address = (path: string, query?: object) => Promise<string>;

/**
 * The answer to a request; 204 has nothing in it, though Chromium gives it a body. Rejects with the server's own
 * words where it refuses, and with undefined where no sidecar has said anything: a proxy's error page.
 */
export type Ask = (
  path: string,
  query: object,
  signal: AbortSignal,
  method?: string,
  json?: string,
) => Promise<Response>;

/** What is subscribed to: a run, from a cursor on. */
export type Query = { readonly run: string; readonly after?: string };

/** One subscription to one run. */
export interface Connection {
  /**
   * Resolves when there is nothing left to tell. Rejects when it broke or never opened; with a
   * CrewError, these are the server's words, or why it was not even tried.
   */
  readonly done: Promise<void>;
  /** Where the transport goes both ways. */
  readonly send?: Send;
}

/** WebSocket and server-sent events differ here and nowhere above. */
export interface Transport {
  readonly name: "ws" | "sse";
  /**
   * `take` gets each frame as it arrives, never before this has returned; `signal` ends the subscription.
   * All waiting is the caller's.
   */
  open(query: Query, take: (frame: Frame) => void, signal: AbortSignal): Connection;
}

/** Waits and buffers, in ms and frames. */
export interface Limits {
  /** From the attempt, until the other transport is tried beside it … */
  readonly dial: number;
  /** … and from then to the first frame. */
  readonly open: number;
  /** Without a frame, then a second connection is opened beside: one ping (10 s) and some. Also for the answer to a read. */
  readonly silence: number;
  /** On the fallback, until a WebSocket is tried again; doubles with each try … */
  readonly probe: number;
  /** … up to this. */
  readonly probeMost: number;
  /**
   * In a hidden tab, until a stream of server-sent events is let go: browsers allow six connections
   * per origin over all tabs. Less than `ack`, so that a command that waited for one still gets through.
   */
  readonly hidden: number;
  /** For the ack of a command. */
  readonly ack: number;
  /** Without an ack on a socket, until the command is POSTed too. */
  readonly hedge: number;
  /** Frames that arrived and were not yet taken; beyond it the connection closes and comes back at the cursor. */
  readonly inbox: number;
  /** Commands without their ack. */
  readonly outstanding: number;
  /** Further tries with the same id when an ack got lost. */
  readonly retries: number;
}

export const LIMITS_DEFAULT: Limits = {
  dial: 1_000,
  open: 3_000,
  silence: 12_000,
  probe: 15_000,
  probeMost: 300_000,
  hidden: 3_000,
  ack: 5_000,
  hedge: 1_000,
  inbox: 20_000,
  outstanding: 64,
  retries: 2,
};
