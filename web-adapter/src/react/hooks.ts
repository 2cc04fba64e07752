import { useSyncExternalStore } from "react";
import type { ConnectionStatus, CrewClient } from "../client.ts";

/** The client's connection: its state, and the transport in use. */
export function useCrewConnection(client: CrewClient): ConnectionStatus {
  const status = () => client.status;
  return useSyncExternalStore(client.subscribe, status, status);
}
