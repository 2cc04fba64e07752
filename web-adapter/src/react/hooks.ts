import { useLocalRuntime, type AssistantRuntime } from "@assistant-ui/react";
import { useCallback, useInsertionEffect, useMemo, useRef } from "react";
import type { CrewClient } from "../client.ts";
import { createAdapter } from "./adapter.ts";
import type { CrewAdapterOptions } from "./options.ts";

/** A whole runtime for `AssistantRuntimeProvider`; of the options the newest count, apart from `conversation`. */
export function useCrewRuntime(client: CrewClient, options: CrewAdapterOptions = {}): AssistantRuntime {
  const newest = useNewest(options);
  const { chatModel, history } = useMemo(() => createAdapter(client, newest), [client, newest]);
  return useLocalRuntime(chatModel, { adapters: { history } });
}

/** Gives what `value` was in the render that is shown. */
function useNewest<T>(value: T): () => T {
  const newest = useRef(value);
  // Before any other effect; and what was rendered and never shown does not count.
  useInsertionEffect(() => {
    newest.current = value;
  });
  return useCallback(() => newest.current, []);
}
