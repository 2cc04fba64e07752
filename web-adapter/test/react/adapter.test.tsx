// @vitest-environment jsdom
import { AssistantRuntimeProvider, useLocalRuntime, type AssistantRuntime, type ChatModelRunOptions, type ChatModelRunResult } from "@assistant-ui/react";
import { act, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createCrewClient, emptyRun, reduce, type RunEvent, type RunView } from "../../src/index.ts";
import { createCrewAdapter, toResult } from "../../src/react/index.ts";
import { fakeServer } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";

vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
Element.prototype.scrollTo ??= () => {};

const LOG = eventsOf("completed");
const view = (name: string): RunView => eventsOf(name).reduce(reduce, emptyRun);
const textOf = ({ content }: ChatModelRunResult) => content?.flatMap((part) => (part.type === "text" ? [part.text] : []));

function setUp(log: readonly RunEvent[] = LOG) {
  const server = fakeServer(log);
  const client = createCrewClient({ ...server.options, random: () => 0, limits: { open: 60, ack: 60 } });
  return { server, client };
}

/** What assistant-ui hands to a ChatModelAdapter, as far as it is looked at. */
function ask(text: string, abortSignal = new AbortController().signal): ChatModelRunOptions {
  const messages = [
    { role: "user", content: [{ type: "text", text: "an older one" }] },
    { role: "assistant", content: [{ type: "text", text: "an answer" }] },
    { role: "user", content: [{ type: "text", text }] },
  ];
  return { messages, abortSignal } as unknown as ChatModelRunOptions;
}

const run = (adapter: ReturnType<typeof createCrewAdapter>, options: ChatModelRunOptions) =>
  adapter.run(options) as AsyncGenerator<ChatModelRunResult, void>;

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
  });

  test("names the tasks to review and notes the run as soon as it exists", async () => {
    const { server, client } = setUp();
    server.hold(3);
    const saved: (readonly string[])[] = [];
    const runs = { list: () => ["r_before"], save: (ids: readonly string[]) => void saved.push(ids) };
    const adapter = createCrewAdapter(client, { review: () => ["research_trends"], runs });
    const reply = run(adapter, ask("x"));
    await reply.next();
    expect(server.effects).toMatchObject([{ cmd: "start", review: ["research_trends"] }]);
    expect(saved).toEqual([["r_before", server.run]]);
    server.grow();
    for await (const _ of reply);
  });

  test.each([
    ["Stop", false, ["start", "cancel"]],
    ["leaving the page", true, ["start"]],
  ])("on %s it throws the signal's reason", async (_, detach, commands) => {
    const { server, client } = setUp();
    server.hold(6);
    const controller = new AbortController();
    const reason = new AbortError(detach);
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
    await vi.waitFor(() => expect(server.effects).toMatchObject([{ cmd: "start" }, { cmd: "cancel", run: server.run }]));
  });

  test("a sidecar that is not there is told as a status with its code, not thrown", async () => {
    const { server, client } = setUp();
    server.weather.http = "refuse";
    const results: ChatModelRunResult[] = [];
    for await (const result of run(createCrewAdapter(client), ask("x"))) results.push(result);
    expect(results).toMatchObject([{ status: { type: "incomplete", reason: "error", error: { code: "unreachable" } } }]);
  });

  test("an error in the middle leaves what was written", async () => {
    const { server, client } = setUp();
    Object.assign(server.weather, { breakAfter: 6, closeCode: 4500 });
    let last: ChatModelRunResult = {};
    for await (last of run(createCrewAdapter(client), ask("x")));
    expect(last.status).toMatchObject({ type: "incomplete", error: { code: "closed" } });
    expect(textOf(last)).toEqual(["A"]);
  });
});

describe("a view as message parts", () => {
  test("is a data part, a tool-call part per tool, and the words being written", () => {
    const middle = view("running in the middle of a reply, after two tool calls");
    const { content, status, metadata } = toResult(middle);
    expect(content).toEqual([
      { type: "data", name: "crew", data: middle },
      expect.objectContaining({ type: "tool-call", toolCallId: "t1", toolName: "word_count", result: "3", isError: false }),
      expect.objectContaining({ type: "tool-call", toolCallId: "t2", isError: true, args: {}, argsText: "{}" }),
      { type: "text", text: "A pl" },
    ]);
    expect(status).toBeUndefined();
    // Tasks in metadata.steps would count against assistant-ui's maxSteps.
    expect(metadata).toEqual({ custom: { run: "r_01jd" } });
  });

  test.each([
    ["failed: crashed", { type: "incomplete", reason: "error", error: { code: "crashed", message: "The worker ended with signal 9." } }],
    ["cancelled while queued", { type: "incomplete", reason: "cancelled" }],
    ["interrupted", { type: "incomplete", reason: "error", error: { code: "interrupted" } }],
    ["completed", { type: "complete", reason: "stop" }],
  ])("%s has its status", (name, status) => {
    expect(toResult(view(name)).status).toMatchObject(status);
  });
});

describe("in assistant-ui's LocalRuntime", () => {
  let root: Root | undefined;
  afterEach(async () => {
    await act(async () => root?.unmount());
    root = undefined;
  });

  async function mount(client: ReturnType<typeof setUp>["client"]): Promise<AssistantRuntime> {
    let runtime: AssistantRuntime | undefined;
    const adapter = createCrewAdapter(client);
    function App() {
      runtime = useLocalRuntime(adapter);
      return <AssistantRuntimeProvider runtime={runtime}>{null}</AssistantRuntimeProvider>;
    }
    root = createRoot(document.createElement("div"));
    await act(async () => root?.render(<StrictMode><App /></StrictMode>));
    return runtime!;
  }
  const until = (check: () => void) => act(() => vi.waitFor(check, { interval: 10 }));
  const last = (runtime: AssistantRuntime) => runtime.thread.getState().messages.at(-1)!;

  test("a message becomes a run and its output the reply", async () => {
    const { client } = setUp();
    const runtime = await mount(client);
    act(() => runtime.thread.append("hi"));
    await until(() => expect(last(runtime).status).toEqual({ type: "complete", reason: "stop" }));
    expect(last(runtime).content.at(-1)).toMatchObject({ type: "text", text: "Up and up" });
    expect(runtime.thread.getState().messages).toHaveLength(2);
  });

  test("Stop keeps what was written (assistant-ui #5820) and cancels the run", async () => {
    const { server, client } = setUp();
    server.hold(6);
    const runtime = await mount(client);
    act(() => runtime.thread.append("hi"));
    await until(() => expect(last(runtime).content.at(-1)).toMatchObject({ type: "text", text: "A" }));
    act(() => runtime.thread.cancelRun());
    await until(() => expect(last(runtime).status).toEqual({ type: "incomplete", reason: "cancelled" }));
    expect(last(runtime).content.at(-1)).toMatchObject({ type: "text", text: "A" });
    await until(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "cancel", run: server.run }));
  });

  test("after Stop the next message is a run of its own, and nothing is there twice (assistant-ui #5791)", async () => {
    const { server, client } = setUp();
    server.hold(6);
    const runtime = await mount(client);
    act(() => runtime.thread.append("one"));
    await until(() => expect(last(runtime).content.at(-1)).toMatchObject({ text: "A" }));
    act(() => runtime.thread.cancelRun());
    server.grow();
    act(() => runtime.thread.append("two"));
    await until(() => expect(last(runtime).status?.type).toBe("complete"));
    const { messages } = runtime.thread.getState();
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant", "user", "assistant"]);
    expect(new Set(messages.map(({ id }) => id)).size).toBe(4);
    expect(server.effects.map(({ cmd }) => cmd).sort()).toEqual(["cancel", "start", "start"]);
  });
});
