import { useCallback, useSyncExternalStore } from "react";

/** Unix ms, to the second while something is `live`; null else, and on a server, which does not know the page's time. */
export function useNow(live: boolean): number | null {
  const subscribe = useCallback(
    (tick: () => void) => {
      const timer = live ? setInterval(tick, 1_000) : undefined;
      return () => clearInterval(timer);
    },
    [live],
  );
  return useSyncExternalStore(subscribe, () => (live ? Math.floor(Date.now() / 1_000) * 1_000 : null), none);
}

const none = () => null;
