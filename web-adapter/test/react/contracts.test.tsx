// @vitest-environment jsdom
import {
  AssistantRuntimeProvider,
  ExportedMessageRepository,
  useExternalStoreRuntime,
  type AssistantRuntime,
  type ExternalStoreAdapter,
  type ThreadMessage,
} from "@assistant-ui/react";
import { act, useMemo, useState } from "react";
import { describe, expect, test, vi } from "vitest";
import { show, until } from "./mount.tsx";

// What useCrewRuntime rests on and assistant-ui does not document, or has only in some versions.

const message = (id: string, role: "user" | "assistant", text: string): ThreadMessage => ({
  ...ExportedMessageRepository.fromArray([{ id, role, content: [{ type: "text", text }] }]).messages[0]!.message,
  ...(role === "assistant" && { status: { type: "running" } }),
});

const [ask, other, answer, again] = [
  message("ask", "user", "one"),
  message("other", "user", "two"),
  message("answer", "assistant", "A"),
  message("again", "assistant", "B"),
] as const;

async function mount(adapter: Partial<ExternalStoreAdapter>) {
  let runtime: AssistantRuntime | undefined;
  let set = (_: Partial<ExternalStoreAdapter>) => {};
  function App() {
    const [store, change] = useState<Partial<ExternalStoreAdapter>>(adapter);
    set = (more) => change({ ...store, ...more });
    runtime = useExternalStoreRuntime<ThreadMessage>(
      useMemo(() => ({ messageRepository: { messages: [] }, onNew: async () => {}, ...store }), [store]),
    );
    return <AssistantRuntimeProvider runtime={runtime}>{null}</AssistantRuntimeProvider>;
  }
  await show(<App />);
  return {
    runtime: runtime!,
    ids: () => runtime!.thread.getState().messages.map(({ id }) => id),
    set: (change: Partial<ExternalStoreAdapter>) => act(async () => set(change)),
  };
}

const TWO = {
  headId: "again",
  messages: [
    { message: ask, parentId: null },
    { message: answer, parentId: "ask" },
    { message: again, parentId: "ask" },
  ],
};

describe("a messageRepository", () => {
  test("is the whole thread: what it no longer has is gone, what it has is shown as it is", async () => {
    const { runtime, ids, set } = await mount({ messageRepository: TWO });
    expect(ids()).toEqual(["ask", "again"]);
    expect(runtime.thread.getMessageByIndex(1).getState()).toMatchObject({ branchNumber: 2, branchCount: 2 });
    expect(runtime.thread.getState().messages[1]!.content[0]).toBe(again.content[0]);
    await set({ messageRepository: { messages: TWO.messages.slice(0, 2) } });
    expect(ids()).toEqual(["ask", "answer"]);
    expect(runtime.thread.getMessageByIndex(1).getState()).toMatchObject({ branchCount: 1 });
  });

  test("another branch is switched to by setMessages with the path to its end", async () => {
    const setMessages = vi.fn<(messages: readonly ThreadMessage[]) => void>();
    const { runtime } = await mount({ messageRepository: TWO, setMessages });
    act(() => runtime.thread.getMessageByIndex(1).switchToBranch({ position: "previous" }));
    expect(setMessages.mock.lastCall?.[0].map(({ id }) => id)).toEqual(["ask", "answer"]);
  });

  test("a cancel leaves a reply that is there as it is, and the message above it too", async () => {
    const onCancel = vi.fn<() => Promise<void>>().mockResolvedValue();
    const setMessages = vi.fn<(messages: readonly ThreadMessage[]) => void>();
    const { runtime, ids } = await mount({ messageRepository: TWO, isRunning: true, onCancel, setMessages });
    act(() => runtime.thread.cancelRun());
    await until(() => expect(setMessages).toHaveBeenCalled());
    expect(onCancel).toHaveBeenCalledTimes(1);
    expect(ids()).toEqual(["ask", "again"]);
    for (const [messages] of setMessages.mock.calls) expect(messages.at(-1)?.id).toBe("again");
  });
});

describe("adapters.threadList", () => {
  test("another threadId is another thread, with nothing of the one before", async () => {
    const threads = ["t_1", "t_2"].map((id) => ({ status: "regular" as const, id, title: id.toUpperCase() }));
    const { runtime, ids, set } = await mount({ messageRepository: TWO });
    // 0.12.3 does not look at the one of the first render.
    await set({ adapters: { threadList: { threadId: "t_1", threads } } });
    expect(runtime.threads.getState()).toMatchObject({ mainThreadId: "t_1", threadIds: ["t_1", "t_2"] });
    const messageRepository = { messages: [{ message: other, parentId: null }] };
    await set({ messageRepository, adapters: { threadList: { threadId: "t_2", threads } } });
    expect(ids()).toEqual(["other"]);
    expect(runtime.thread.getMessageByIndex(0).getState()).toMatchObject({ branchCount: 1 });
    expect(runtime.threads.mainItem.getState()).toMatchObject({ id: "t_2", title: "T_2" });
  });

  test("new, switch, rename and delete are its callbacks", async () => {
    const called = vi.fn<(what: string, ...rest: unknown[]) => void>();
    const threads = ["t_1", "t_2"].map((id) => ({ status: "regular" as const, id }));
    const { runtime } = await mount({
      adapters: {
        threadList: {
          threadId: "t_1",
          threads,
          onSwitchToNewThread: () => called("new"),
          onSwitchToThread: (id) => called("switch", id),
          onRename: (id, title) => called("rename", id, title),
          onDelete: (id) => called("delete", id),
        },
      },
    });
    await act(async () => {
      await runtime.threads.switchToNewThread();
      await runtime.threads.switchToThread("t_2");
      await runtime.threads.getItemById("t_2").rename("Tea");
      await runtime.threads.getItemById("t_2").delete();
    });
    expect(called.mock.calls).toEqual([["new"], ["switch", "t_2"], ["rename", "t_2", "Tea"], ["delete", "t_2"]]);
  });
});

describe("a message while the thread is running", () => {
  test("goes to the queue where assistant-ui has one, else to onNew", async () => {
    const went = vi.fn<(where: string) => void>();
    const { runtime } = await mount({
      messageRepository: TWO,
      isRunning: true,
      onNew: async () => went("onNew"),
      queue: {
        items: [],
        steerItems: [],
        enqueue: () => went("enqueue"),
        steer: () => went("steer"),
        move: () => {},
        edit: () => {},
        remove: () => {},
      },
    });
    const { queue } = runtime.thread.getState().capabilities;
    await act(async () => runtime.thread.append("more"));
    await until(() => expect(went.mock.calls).toEqual([[queue ? "steer" : "onNew"]]));
  });
});

test("addResult of a tool call is onAddToolResult", async () => {
  const onAddToolResult = vi.fn<NonNullable<ExternalStoreAdapter["onAddToolResult"]>>();
  const call = {
    ...answer,
    content: [{ type: "tool-call", toolCallId: "r_1:i_1", toolName: "crew_question", args: {}, argsText: "{}" }],
  } as unknown as ThreadMessage;
  const messageRepository = {
    messages: [
      { message: ask, parentId: null },
      { message: call, parentId: "ask" },
    ],
  };
  const { runtime } = await mount({ messageRepository, onAddToolResult });
  act(() => runtime.thread.getMessageByIndex(1).getMessagePartByIndex(0).addToolResult("Yes"));
  expect(onAddToolResult.mock.lastCall?.[0]).toMatchObject({ toolCallId: "r_1:i_1", result: "Yes" });
});
