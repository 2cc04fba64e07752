import { useCallback, useSyncExternalStore } from "react";
import type { Times } from "./parts.ts";

/** How long something took, or has taken by `now` (Unix ms); null if that is not known. */
export function secondsOf({ started, ended }: Times, now = 0): number | null {
  const until = ended ?? now;
  return started && until ? Math.max(0, (until - started) / 1_000) : null;
}

/** Unix ms, to the second while something is `live`; 0 on a server, which does not know the page's time, and else. */
export function useNow(live: boolean): number {
  const subscribe = useCallback(
    (tick: () => void) => {
      const timer = live ? setInterval(tick, 1_000) : undefined;
      return () => clearInterval(timer);
    },
    [live],
  );
  return useSyncExternalStore(subscribe, () => (live ? Math.floor(Date.now() / 1_000) * 1_000 : 0), zero);
}

const zero = () => 0;
