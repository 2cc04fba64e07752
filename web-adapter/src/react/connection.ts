import { useSyncExternalStore } from "react";
import type { CrewClient } from "../client.ts";
import { statusOf, type ConnectionStatus } from "../status.ts";

/** What a server renders, and a page until it has hydrated: a follower may have begun before. */
const IDLE = statusOf([], null);

/** The client's connection: its state, and the transport in use. */
export function useCrewConnection(client: CrewClient): ConnectionStatus {
  return useSyncExternalStore(
    client.subscribe,
    () => client.status,
    () => IDLE,
  );
}
