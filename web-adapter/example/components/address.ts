import { useSyncExternalStore } from "react";

const NAME = "thread";
/** What a run's page has its id as. */
export const RUN = "id";
/** The list of them. */
export const RUNS = "/runs/";
const listeners = new Set<() => void>();
/** Where "Chat" leads back to from the other pages. */
let shown: string | undefined;

const inAddress = (): string | undefined => new URLSearchParams(window.location.search).get(NAME) ?? undefined;
const last = () => shown;
const unknown = () => undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}

export const addressOf = (thread: string | undefined): string =>
  thread === undefined ? "/" : `/?${NAME}=${encodeURIComponent(thread)}`;

export const addressOfRun = (run: string): string => `/run/?${RUN}=${encodeURIComponent(run)}`;

/** The conversation that the page's address names; undefined: a new one. */
export const useThreadInAddress = (): string | undefined => useSyncExternalStore(subscribe, inAddress, unknown);

/** The conversation that was shown last, in this page or before another one. */
export const useThreadShown = (): string | undefined => useSyncExternalStore(subscribe, last, unknown);

/** Writes it into the address. "Back" leads to another conversation, and not to the empty one that it began as. */
export function nameInAddress(thread: string | undefined): void {
  const url = new URL(window.location.href);
  const before = inAddress();
  shown = thread;
  if (thread === undefined) url.searchParams.delete(NAME);
  else url.searchParams.set(NAME, thread);
  if (before !== thread) window.history[before === undefined ? "replaceState" : "pushState"](null, "", url);
  for (const listener of listeners) listener();
}

/** As a page with that conversation is opened. */
export function keepInMind(thread: string | undefined): void {
  shown = thread;
}
