"use client";

import { createContext, useContext, useSyncExternalStore } from "react";
import { onStill, stillSince } from "./still";

/** What time it is where a moment of the past is shown as it was, Unix ms; null: the clock goes. */
export const Moment = createContext<number | null>(null);

/**
 * A clock that ticks each `step` ms: Unix ms, the same for all who look between two ticks. While the
 * connection is lost it stands, for nobody knows what goes on, unless it is `always` to go.
 */
export function useNow(step: number, always = false): number {
  const moment = useContext(Moment);
  const now = useSyncExternalStore(
    (tick) => {
      const timer = setInterval(tick, step);
      const leave = onStill(tick);
      return () => {
        clearInterval(timer);
        leave();
      };
    },
    () => Math.floor(((always ? null : stillSince()) ?? Date.now()) / step) * step,
    () => 0,
  );
  return moment ?? now;
}
