import { AssistantRuntimeProvider, useLocalRuntime, type AssistantRuntime } from "@assistant-ui/react";
import { act, StrictMode, useState, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { createCrewClient, type CrewClient, type CrewClientOptions } from "../../src/index.ts";
import {
  CREW_QUESTION,
  createCrewAdapter,
  useCrewRuntime,
  type CrewAdapterOptions,
  type CrewRuntimeOptions,
} from "../../src/react/index.ts";
import type { fakeServer } from "../fakeServer.ts";

vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
Element.prototype.scrollTo ??= () => {};

let roots: Root[] = [];

beforeEach(() => {
  sessionStorage.clear();
  localStorage.clear();
});
afterEach(() => leave());

export const clientOf = (server: ReturnType<typeof fakeServer>, options: Partial<CrewClientOptions> = {}): CrewClient =>
  createCrewClient({ ...server.options, random: () => 0, limits: { open: 60, ack: 60 }, ...options });

/** Shows `node` in a page of its own, twice mounted as React does in development. */
export async function show(node: ReactNode): Promise<HTMLElement> {
  const place = document.createElement("div");
  const root = createRoot(place);
  roots.push(root);
  await act(async () => root.render(<StrictMode>{node}</StrictMode>));
  return place;
}

/** Unmounts every page. */
export async function leave(): Promise<void> {
  const mounted = roots;
  roots = [];
  await act(async () => mounted.forEach((root) => root.unmount()));
}

/** A chat page with the runtime of the README. */
export const chat = (client: CrewClient, options?: CrewRuntimeOptions): Promise<Chat> =>
  chatWith(() => useCrewRuntime(client, options));

/** The same, with the adapter for a LocalRuntime. */
export const localChat = (client: CrewClient, options?: CrewAdapterOptions): Promise<Chat> =>
  chatWith(() => {
    const [{ chatModel, history }] = useState(() => createCrewAdapter(client, options));
    return useLocalRuntime(chatModel, { adapters: { history }, unstable_humanToolNames: [CREW_QUESTION] });
  });

export async function chatWith(useRuntime: () => AssistantRuntime): Promise<Chat> {
  let runtime: AssistantRuntime | undefined;
  function App() {
    runtime = useRuntime();
    return <AssistantRuntimeProvider runtime={runtime}>{null}</AssistantRuntimeProvider>;
  }
  await show(<App />);
  const { thread, threads } = runtime!;
  const messages = () => thread.getState().messages;
  return {
    thread,
    threads,
    messages,
    last: () => messages().at(-1)!,
    send: (text) => act(() => thread.append(text)),
    told: () =>
      messages().map(({ role, content, status }) => {
        const text = content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("|");
        return role === "user"
          ? `> ${text}`
          : `${text} (${status && "reason" in status && status.type !== "complete" ? status.reason : status?.type})`;
      }),
  };
}

export interface Chat {
  readonly thread: AssistantRuntime["thread"];
  readonly threads: AssistantRuntime["threads"];
  messages(): ReturnType<AssistantRuntime["thread"]["getState"]>["messages"];
  last(): ReturnType<Chat["messages"]>[number];
  send(text: string): void;
  /** The conversation in short: user's messages after `>`, replies with what became of them. */
  told(): string[];
}

/** React shows what changed in an `act` when that ends, so that each look at the page is after one. At most 3 s. */
export async function until(check: () => void): Promise<void> {
  for (let looks = 300; ; looks--) {
    await act(() => new Promise((resolve) => setTimeout(resolve, 10)));
    try {
      return check();
    } catch (error) {
      if (looks === 0) throw error;
    }
  }
}

/** Waits until the conversation reads so. */
export const reads = (page: Chat, ...told: string[]) => until(() => expect(page.told()).toEqual(told));

/** Edits a message as assistant-ui's own edit box does. */
export async function edit({ thread }: Chat, message: number, text: string): Promise<void> {
  const { composer } = thread.getMessageByIndex(message);
  await act(async () => composer.beginEdit());
  await act(async () => composer.setText(text));
  await act(async () => composer.send());
}
