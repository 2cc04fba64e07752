import { useSyncExternalStore } from "react";
import type { CrewClient } from "../client.ts";
import type { CrewError } from "../errors.ts";

/** Ms between two looks at what may change by itself, and after one that failed. */
const PACE = 5_000;

/** Ms for a command to be acked and to take effect, and for others behind it. */
const SETTLE = 100;

/** Queries of one client whose last answer is kept, besides those that somebody looks at. */
const KEPT = 20;

export interface Looked {
  /** Nothing is known yet. */
  readonly loading: boolean;
  /** Why the last look failed; what was known before stays. */
  readonly error: CrewError | null;
  /** Looks again now. */
  refresh(): void;
}

export interface State<T> extends Looked {
  readonly data: T | undefined;
}

export interface Poll<T> {
  subscribe(listener: () => void): () => void;
  get(): State<T>;
  readonly first: State<T>;
  isUsed(): boolean;
  /** Puts something else in the place of what is known, if anything is. */
  amend(make: (data: T) => T): void;
}

const polls = new WeakMap<CrewClient, Map<string, Poll<unknown>>>();

/** One poll for all that ask a client the same, and what it has come to. */
export function usePoll<P extends Poll<unknown>>(
  client: CrewClient,
  query: string,
  make: () => P,
): [P, ReturnType<P["get"]>] {
  const known = polls.get(client) ?? new Map<string, Poll<unknown>>();
  polls.set(client, known);
  const poll = (known.get(query) as P | undefined) ?? make();
  known.set(query, poll);
  for (const [other, { isUsed }] of [...known].slice(0, -KEPT)) if (other !== query && !isUsed()) known.delete(other);
  return [poll, useSyncExternalStore(poll.subscribe, poll.get, () => poll.first) as ReturnType<P["get"]>];
}

/**
 * Reads as long as somebody listens and the page is in sight. `moves`: what is read changes by itself.
 * `join`: what is known then, of what was and what has just been read.
 */
export function createPoll<T>(
  client: CrewClient,
  read: () => Promise<T>,
  moves: boolean,
  join = (_: T | undefined, fresh: T): T => fresh,
): Poll<T> {
  const listeners = new Set<() => void>();
  const first: State<T> = { data: undefined, loading: true, error: null, refresh: look };
  let state = first;
  /** The last answer, to see whether another one says anything new. */
  let told: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  let again = false;
  let asked = -Infinity;
  let { pending } = client;
  let { state: connection } = client.status;
  let unsubscribe = () => {};

  function schedule(ms: number): void {
    clearTimeout(timer);
    if (ms < Infinity) timer = setTimeout(look, ms);
  }

  function look(): void {
    clearTimeout(timer);
    again = asking;
    if (!asking && listeners.size && !document.hidden) void ask();
  }

  async function ask(): Promise<void> {
    asking = true;
    asked = Date.now();
    let next = state;
    try {
      const fresh = await read();
      // It may have been amended meanwhile.
      next = state;
      const data = join(state.data, fresh);
      const json = JSON.stringify(data);
      if (json !== told || state.error)
        next = { ...state, ...(json !== told && { data }), loading: false, error: null };
      told = json;
    } catch (error) {
      next = { ...state, loading: false, error: error as CrewError };
    }
    asking = false;
    schedule(again ? 0 : moves || next.error ? PACE : Infinity);
    tell(next);
  }

  function tell(next: State<T>): void {
    if (next === state) return;
    state = next;
    for (const listener of listeners) listener();
  }

  /** Of the client: that a command came or was acked, or that a run began or ended to be followed. */
  function onChange(): void {
    if (connection === client.status.state && (!moves || pending === client.pending)) return;
    ({ pending } = client);
    connection = client.status.state;
    schedule(SETTLE);
  }

  return {
    first,
    get: () => state,
    isUsed: () => listeners.size > 0,
    amend(make) {
      if (state.data === undefined) return;
      const data = make(state.data);
      told = JSON.stringify(data);
      tell({ ...state, data });
    },
    subscribe(listener) {
      if (!listeners.size) {
        const leave = client.subscribe(onChange);
        document.addEventListener("visibilitychange", look);
        unsubscribe = () => {
          leave();
          document.removeEventListener("visibilitychange", look);
          clearTimeout(timer);
        };
        schedule(Math.max(0, asked + PACE - Date.now()));
      }
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (!listeners.size) unsubscribe();
      };
    },
  };
}
