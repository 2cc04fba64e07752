import { useSyncExternalStore } from "react";
import { crewFacts } from "./useCrew";

const KEY = "crew.review";

const listeners = new Set<() => void>();
/** Holds for the page where localStorage is blocked. */
let wanted: boolean | undefined;

function wantsReview(): boolean {
  try {
    return wanted ?? localStorage.getItem(KEY) === "yes";
  } catch {
    return false;
  }
}

function setReview(wants: boolean): void {
  wanted = wants;
  try {
    localStorage.setItem(KEY, wants ? "yes" : "no");
  } catch {
    // Then it is forgotten with the page.
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The tasks after which the crew is to ask: the first, whose result is what the others build on. */
export function tasksToReview(): readonly string[] {
  const first = crewFacts()?.tasks[0];
  return first && wantsReview() ? [first.name] : [];
}

/** "Ask me before moving on", remembered from visit to visit. */
export const useReview = () => [useSyncExternalStore(subscribe, wantsReview, () => false), setReview] as const;
