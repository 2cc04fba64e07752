import { useSyncExternalStore } from "react";
import type { CrewClient } from "../client.ts";
import type { CrewError } from "../errors.ts";
import type { CrewInfo, RunSnapshot, RunState, ThreadInfo } from "../protocol.ts";

/** Ms between two looks at what may change by itself, and after one that failed. */
const PACE = 5_000;

/** Ms for a command to be acked and to take effect, and for others behind it. */
const SETTLE = 100;

/** Queries of one client whose last answer is kept, besides those that somebody looks at. */
const KEPT = 20;

interface Looked {
  /** Nothing is known yet. */
  readonly loading: boolean;
  /** Why the last look failed; what was known before stays. */
  readonly error: CrewError | null;
  /** Looks again now. */
  refresh(): void;
}

interface State<T> extends Looked {
  readonly data: T | undefined;
}

interface Poll<T> {
  subscribe(listener: () => void): () => void;
  get(): State<T>;
  readonly first: State<T>;
  isUsed(): boolean;
}

/**
 * The sidecar's runs, newest first, as `client.list` gives them: looked at again after each command and
 * each run of this client, when the page is seen again, and every 5 s while it is.
 */
export function useCrewRuns(
  client: CrewClient,
  { state, limit = 50 }: { readonly state?: RunState; readonly limit?: number } = {},
): Looked & { readonly runs: readonly RunSnapshot[] } {
  const read = () => client.list({ state, limit });
  const { data: runs = NONE, ...looked } = useLook(client, `runs ${state} ${limit}`, read, true);
  return { runs, ...looked };
}

/** The sidecar's conversations, the one last at work first; looked at as `useCrewRuns` does. */
export function useThreads(
  client: CrewClient,
  { limit = 50 }: { readonly limit?: number } = {},
): Looked & { readonly threads: readonly ThreadInfo[] } {
  const { data, ...looked } = useLook(client, `threads ${limit}`, () => client.threads({ limit }), true);
  return { threads: data?.threads ?? NONE, ...looked };
}

/** What crews there are; looked at once, when the connection comes or goes and when the page is seen again. */
export function useCrews(client: CrewClient): Looked & { readonly crews: readonly CrewInfo[] } {
  const { data: crews = NONE, ...looked } = useLook(client, "crews", client.crews, false);
  return { crews, ...looked };
}

const NONE: readonly never[] = [];

const polls = new WeakMap<CrewClient, Map<string, Poll<unknown>>>();

/** One poll for all that ask a client the same. */
function useLook<T>(client: CrewClient, query: string, read: () => Promise<T>, moves: boolean): State<T> {
  const known = polls.get(client) ?? new Map<string, Poll<unknown>>();
  polls.set(client, known);
  const poll = (known.get(query) as Poll<T> | undefined) ?? createPoll(client, read, moves);
  known.set(query, poll);
  for (const [other, { isUsed }] of [...known].slice(0, -KEPT)) if (other !== query && !isUsed()) known.delete(other);
  return useSyncExternalStore(poll.subscribe, poll.get, () => poll.first);
}

/** Reads as long as somebody listens and the page is in sight. `moves`: what is read changes by itself. */
function createPoll<T>(client: CrewClient, read: () => Promise<T>, moves: boolean): Poll<T> {
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
      const data = await read();
      const json = JSON.stringify(data);
      if (json !== told || state.error)
        next = { ...state, ...(json !== told && { data }), loading: false, error: null };
      told = json;
    } catch (error) {
      next = { ...state, loading: false, error: error as CrewError };
    }
    asking = false;
    schedule(again ? 0 : moves || next.error ? PACE : Infinity);
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
