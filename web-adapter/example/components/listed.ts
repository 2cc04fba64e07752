import { useSyncExternalStore } from "react";

/** Conversations in the list at first, and how many more each "Show older" asks for. */
export const STEP = 100;

let listed = STEP;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** How many conversations the sidecar is asked for. */
export const useListed = (): number =>
  useSyncExternalStore(
    subscribe,
    () => listed,
    () => STEP,
  );

export function listMore(): void {
  listed += STEP;
  for (const listener of listeners) listener();
}
