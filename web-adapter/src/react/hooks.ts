import { useLocalRuntime, type AssistantRuntime } from "@assistant-ui/react";
import { useMemo, useRef, useSyncExternalStore } from "react";
import type { CrewClient } from "../client.ts";
import type { ConnectionStatus } from "../follow.ts";
import { createCrewAdapter, type CrewAdapterOptions } from "./adapter.ts";

/** The client's connection: its state, and the transport in use. */
export function useCrewConnection(client: CrewClient): ConnectionStatus {
  const status = () => client.status;
  return useSyncExternalStore(client.subscribe, status, status);
}

/** A whole runtime for `AssistantRuntimeProvider`; of the options the newest count. */
export function useCrewRuntime(client: CrewClient, options?: CrewAdapterOptions): AssistantRuntime {
  const newest = useRef<CrewAdapterOptions>({}).current;
  Object.assign(newest, options);
  const { chatModel, history } = useMemo(() => createCrewAdapter(client, newest), [client, newest]);
  return useLocalRuntime(chatModel, { adapters: { history } });
}
