"use client";

import { useSyncExternalStore } from "react";

/** A clock that ticks each `step` ms: Unix ms, the same for all who look between two ticks. */
export function useNow(step: number): number {
  return useSyncExternalStore(
    (tick) => {
      const timer = setInterval(tick, step);
      return () => clearInterval(timer);
    },
    () => Math.floor(Date.now() / step) * step,
    () => 0,
  );
}
