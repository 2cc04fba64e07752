import { useExternalStoreRuntime, type AssistantRuntime, type ExternalStoreAdapter } from "@assistant-ui/react";
import { useCallback, useEffect, useInsertionEffect, useMemo, useRef, useSyncExternalStore } from "react";
import type { CrewClient } from "../client.ts";
import type { CrewRuntimeOptions } from "./options.ts";
import { createThreads } from "./threads.ts";

/**
 * A whole runtime for `AssistantRuntimeProvider`: threads, live runs, steering. Of the options the
 * newest count.
 */
export function useCrewRuntime(client: CrewClient, options: CrewRuntimeOptions = {}): AssistantRuntime {
  const newest = useNewest(options);
  const { conversation: name, threadId, listed, suggestions, adapters } = options;
  // Another name is another place in the storage.
  // oxlint-disable-next-line react/exhaustive-deps
  const threads = useMemo(() => createThreads(client, newest), [client, newest, name]);
  const state = useSyncExternalStore(threads.subscribe, threads.getState, threads.getServerState);
  useEffect(() => threads.open(), [threads]);
  useEffect(() => threads.ask(threadId), [threads, threadId]);
  useEffect(() => void (listed && threads.refresh()), [threads, listed]);

  const { conversation, shown, threadId: id, threads: list, listing } = state;
  const store = useMemo((): ExternalStoreAdapter => {
    const { send, queue } = conversation;
    return {
      messageRepository: shown.repository,
      isRunning: shown.running,
      isLoading: shown.loading,
      suggestions,
      onNew: async (message) => send(message),
      onEdit: async (message) => conversation.edit(message),
      onReload: async (parent) => conversation.reload(parent),
      onCancel: async () => conversation.stop(),
      onAddToolResult: ({ toolCallId, result }) => conversation.answer(toolCallId, result),
      // The branch that was switched to.
      setMessages: (messages) => conversation.setHead(messages.at(-1)?.id),
      // 0.12 knows none and calls `onNew`.
      queue: {
        items: shown.queue,
        steerItems: NONE,
        enqueue: (message) => send(message, "queue", true),
        steer: (message) => send(message, message.steer ? "steer" : undefined, true),
        move: (item, { lane }) => lane === "steer" && queue.steer(item),
        edit: queue.edit,
        remove: queue.remove,
      },
      adapters: {
        ...adapters,
        threadList: {
          threadId: id,
          threads: list,
          isLoading: listing,
          onSwitchToNewThread: () => threads.switchTo(undefined),
          onSwitchToThread: threads.switchTo,
          onRename: threads.rename,
          onDelete: threads.remove,
        },
      },
    };
  }, [threads, conversation, shown, id, list, listing, suggestions, adapters]);
  return useExternalStoreRuntime(store);
}

const NONE: readonly never[] = [];

/** Gives what `value` was in the render that is shown. */
function useNewest<T>(value: T): () => T {
  const newest = useRef(value);
  // Before any other effect; and what was rendered and never shown does not count.
  useInsertionEffect(() => {
    newest.current = value;
  });
  return useCallback(() => newest.current, []);
}
