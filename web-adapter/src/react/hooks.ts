import { useSyncExternalStore } from "react";
import type { CrewClient } from "../client.ts";
import type { ConnectionStatus } from "../follow.ts";

/** The client's connection: its state, and the transport in use. */
export function useCrewConnection(client: CrewClient): ConnectionStatus {
  const status = () => client.status;
  return useSyncExternalStore(client.subscribe, status, status);
}
