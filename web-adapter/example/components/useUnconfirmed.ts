import type { PendingCommand } from "crew-web-adapter";
import { useSyncExternalStore } from "react";
import { crew } from "./crew";

const none: readonly PendingCommand[] = [];

/** The newest command to a run of which nobody knows yet whether it took effect: the sidecar has not answered. */
export function useUnconfirmed(run: string | null | undefined): PendingCommand["command"] | undefined {
  const pending = useSyncExternalStore(
    crew.subscribe,
    () => crew.pending,
    () => none,
  );
  return pending.findLast(({ command, unconfirmed }) => unconfirmed && "run" in command && command.run === run)
    ?.command;
}
