// @vitest-environment jsdom
import {
  AssistantRuntimeProvider,
  type AssistantRuntime,
  type ChatModelRunOptions,
  type ChatModelRunResult,
} from "@assistant-ui/react";
import { act, useEffect, useState } from "react";
import { describe, expect, test, vi } from "vitest";
import { emptyRun, reduce, type RunEvent, type RunView } from "../../src/index.ts";
import { createCrewAdapter, toResult, useCrewRuntime, type CrewAdapterOptions } from "../../src/react/index.ts";
import { fakeServer } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";
import { chat, clientOf, reads, show, until } from "./mount.tsx";

const LOG = eventsOf("completed");
const view = (name: string): RunView => eventsOf(name).reduce(reduce, emptyRun);
const textOf = ({ content }: ChatModelRunResult) =>
  content?.flatMap((part) => (part.type === "text" ? [part.text] : []));

function setUp(log: readonly RunEvent[] = LOG) {
  const server = fakeServer(log);
  return { server, client: clientOf(server) };
}

/** What assistant-ui hands to a ChatModelAdapter, as far as it is looked at. */
function ask(text: string, abortSignal = new AbortController().signal): ChatModelRunOptions {
  const messages = [
    { role: "user", content: [{ type: "text", text: "an older one" }] },
    { role: "assistant", content: [{ type: "text", text: "an answer" }], metadata: { custom: { run: "r_before" } } },
    { role: "user", content: [{ type: "text", text }] },
  ];
  return { messages, abortSignal } as unknown as ChatModelRunOptions;
}

const run = (adapter: ReturnType<typeof createCrewAdapter>, options: ChatModelRunOptions) =>
  adapter.chatModel.run(options) as AsyncGenerator<ChatModelRunResult, void>;

class AbortError extends Error {
  override name = "AbortError";
  detach: boolean;
  constructor(detach: boolean) {
    super();
    this.detach = detach;
  }
}

describe("the generator", () => {
  test("sends the last user message as the brief and ends with the run's output", async () => {
    const { server, client } = setUp();
    const results: ChatModelRunResult[] = [];
    for await (const result of run(createCrewAdapter(client), ask("Coffee in Lisbon"))) results.push(result);
    expect(server.effects).toMatchObject([{ cmd: "start", inputs: { message: "Coffee in Lisbon" } }]);
    expect(results.at(-1)).toEqual(toResult(view("completed")));
    expect(results.at(-1)?.status).toEqual({ type: "complete", reason: "stop" });
  });

  test("takes the crew, the inputs and the look from its options", async () => {
    const { server, client } = setUp();
    const adapter = createCrewAdapter(client, {
      crew: "press",
      toInputs: (messages) => ({ turns: messages.length }),
      toResult: ({ state }) => ({ content: [{ type: "text", text: state }] }),
    });
    let last: ChatModelRunResult = {};
    for await (last of run(adapter, ask("x")));
    expect(server.effects).toMatchObject([{ crew: "press", inputs: { turns: 3 } }]);
    expect(textOf(last)).toEqual(["completed"]);
    expect(last.metadata?.custom).toEqual({ run: server.run });
  });

  test("names the tasks to review and notes the run as soon as it exists", async () => {
    const { server, client } = setUp();
    server.hold(3);
    const adapter = createCrewAdapter(client, { review: () => ["research_trends"] });
    adapter.runs.add("r_before");
    const reply = run(adapter, ask("x"));
    await reply.next();
    expect(server.effects).toMatchObject([{ cmd: "start", review: ["research_trends"] }]);
    expect(adapter.runs.list()).toEqual(["r_before", server.run]);
    expect(adapter.runs.after(server.run)).toBe("r_before");
    server.grow();
    for await (const _ of reply);
  });

  test.each([
    ["Stop", new AbortError(false), ["start", "cancel"]],
    ["leaving the page", new AbortError(true), ["start"]],
    ["an abort that says nothing and that no message follows", new DOMException("", "AbortError"), ["start", "cancel"]],
  ])("on %s it throws the signal's reason", async (_, reason, commands) => {
    const { server, client } = setUp();
    server.hold(6);
    const controller = new AbortController();
    const reading = (async () => {
      for await (const { content } of run(createCrewAdapter(client), ask("x", controller.signal))) {
        if (content?.[0]?.type === "data" && content[0].data.seq === 6) setTimeout(() => controller.abort(reason));
      }
    })();
    await expect(reading).rejects.toBe(reason);
    await vi.waitFor(() => expect(server.effects.map(({ cmd }) => cmd)).toEqual(commands));
    expect(server.sockets.size).toBe(0);
  });

  test("Stop before the start was acknowledged cancels the run all the same", async () => {
    const { server, client } = setUp();
    const controller = new AbortController();
    const first = run(createCrewAdapter(client), ask("x", controller.signal)).next();
    controller.abort(new AbortError(false));
    await expect(first).rejects.toBe(controller.signal.reason);
    await vi.waitFor(() =>
      expect(server.effects).toMatchObject([{ cmd: "start" }, { cmd: "cancel", run: server.run }]),
    );
  });

  test("a sidecar that is not there is told as a status with its code, not thrown", async () => {
    const { server, client } = setUp();
    server.weather.http = "refuse";
    const results: ChatModelRunResult[] = [];
    for await (const result of run(createCrewAdapter(client), ask("x"))) results.push(result);
    expect(results).toMatchObject([
      { status: { type: "incomplete", reason: "error" }, metadata: { custom: { error: { code: "unreachable" } } } },
    ]);
  });

  test("an error in the middle leaves what was written", async () => {
    const { server, client } = setUp();
    Object.assign(server.weather, { breakAfter: 6, closeCode: 4500 });
    let last: ChatModelRunResult = {};
    for await (last of run(createCrewAdapter(client), ask("x")));
    expect(last.status).toMatchObject({ type: "incomplete", error: "Closed by the sidecar (4500)." });
    expect(last.metadata).toMatchObject({ custom: { run: server.run, error: { code: "closed" } } });
    expect(textOf(last)).toEqual(["A"]);
  });
});

describe("in assistant-ui's LocalRuntime", () => {
  test("a message becomes a run and its output the reply", async () => {
    const { client } = setUp();
    const page = await chat(client);
    page.send("hi");
    await reads(page, "> hi", "Up and up (complete)");
    expect(page.last().status).toEqual({ type: "complete", reason: "stop" });
  });

  test("Stop keeps what was written (assistant-ui #5820) and cancels the run", async () => {
    const { server, client } = setUp();
    server.hold(6);
    const page = await chat(client);
    page.send("hi");
    await reads(page, "> hi", "A (running)");
    act(() => page.thread.cancelRun());
    await reads(page, "> hi", "A (cancelled)");
    await until(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "cancel", run: server.run }));
    // Words that were on their way change nothing any more.
    server.grow();
    await act(() => new Promise((resolve) => setImmediate(resolve)));
    expect(page.told()).toEqual(["> hi", "A (cancelled)"]);
  });

  test("after Stop the next message is a run of its own, and nothing is there twice", async () => {
    const { server, client } = setUp();
    server.hold(6);
    const page = await chat(client);
    page.send("one");
    await reads(page, "> one", "A (running)");
    act(() => page.thread.cancelRun());
    server.grow();
    page.send("two");
    await reads(page, "> one", "A (cancelled)", "> two", "Up and up (complete)");
    expect(new Set(page.messages().map(({ id }) => id)).size).toBe(4);
    expect(server.effects.map(({ cmd }) => cmd).sort()).toEqual(["cancel", "start", "start"]);
  });

  test("the newest options count, and the runtime stays the same", async () => {
    const { server, client } = setUp();
    const seen = new Set<AssistantRuntime>();
    let more = () => {};
    function App() {
      const [review, set] = useState<readonly string[]>([]);
      more = () => set(["research_trends"]);
      const runtime = useCrewRuntime(client, { review: () => review });
      useEffect(() => void seen.add(runtime));
      return <AssistantRuntimeProvider runtime={runtime}>{null}</AssistantRuntimeProvider>;
    }
    await show(<App />);
    await act(async () => more());
    const [runtime] = seen;
    await act(async () => runtime!.thread.append("hi"));
    await until(() => expect(server.effects).toMatchObject([{ cmd: "start", review: ["research_trends"] }]));
    expect(seen.size).toBe(1);
  });

  test("an option that is taken away counts no more", async () => {
    const { server, client } = setUp();
    let runtime: AssistantRuntime | undefined;
    let takeAway = () => {};
    function App() {
      const [options, set] = useState<CrewAdapterOptions>({ crew: "reviewers" });
      takeAway = () => set({});
      runtime = useCrewRuntime(client, options);
      return <AssistantRuntimeProvider runtime={runtime}>{null}</AssistantRuntimeProvider>;
    }
    await show(<App />);
    await act(async () => runtime!.thread.append("hi"));
    await until(() => expect(server.effects).toMatchObject([{ cmd: "start", crew: "reviewers" }]));
    await act(async () => takeAway());
    await act(async () => runtime!.thread.append("again"));
    await until(() => expect(server.effects).toHaveLength(2));
    expect(server.effects[1]).not.toHaveProperty("crew");
  });
});
