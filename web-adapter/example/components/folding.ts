import type { RunView } from "crew-web-adapter";

/** In pixels from the window's top, and as far as the page could scroll back. */
export interface Sight {
  readonly rail: { readonly top: number; readonly bottom: number };
  /** Where what is below the rail begins. */
  readonly below: number;
  readonly window: { readonly top: number; readonly bottom: number };
  /** Whether the reader is at something in the rail: with the keyboard, or with words that are marked. */
  readonly held: boolean;
}

/** Whether the rail may go without taking away what is being read. */
export const mayFold = ({ rail, below, window, held }: Sight): boolean =>
  !held && !(below >= window.bottom && rail.bottom > window.top && rail.top < window.bottom);

/** Whether there is something in the work that has to be seen: not all went as it was meant to. */
export const needsReading = (run: RunView): boolean =>
  run.state !== "completed" ||
  run.work.some(({ state }) => state === "failed") ||
  run.notes.some(({ state }) => state === "unapplied" || state === "expired" || state === "closed");

/** What readers chose by run, the latest last: a conversation that is left and come back to looks the same. */
const chosen = new Map<string, boolean>();
const CHOICES = 200;

export const choiceOf = (run: string | null): boolean | undefined => (run === null ? undefined : chosen.get(run));

export function choose(run: string | null, open: boolean): void {
  if (run === null) return;
  chosen.delete(run);
  chosen.set(run, open);
  if (chosen.size > CHOICES) chosen.delete(chosen.keys().next().value!);
}
