"use client";

import { useSyncExternalStore } from "react";
import { onStill, stillSince } from "./still";

/**
 * A clock that ticks each `step` ms: Unix ms, the same for all who look between two ticks. While the
 * connection is lost it stands, for nobody knows what goes on, unless it is `always` to go.
 */
export function useNow(step: number, always = false): number {
  return useSyncExternalStore(
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
}
