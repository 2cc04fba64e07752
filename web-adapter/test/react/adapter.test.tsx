// @vitest-environment jsdom
import {
  useLocalRuntime,
  type AssistantRuntime,
  type ChatModelRunOptions,
  type ChatModelRunResult,
} from "@assistant-ui/react";
import { act, useState } from "react";
import { describe, expect, test, vi } from "vitest";
import { emptyRun, reduce, type RunEvent, type RunView } from "../../src/index.ts";
import { conversation, CREW_QUESTION, createCrewAdapter, toResult, type LocalOptions } from "../../src/react/index.ts";
import { fakeServer, logOf } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";
import { chatWith, localChat as chat, clientOf, leave, reads, until } from "./mount.tsx";

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

  test("asks for its options with each use", async () => {
    const { server, client } = setUp();
    let options: LocalOptions = { crew: "reviewers" };
    const adapter = createCrewAdapter(client, () => options);
    for await (const _ of run(adapter, ask("one")));
    options = {};
    for await (const _ of run(adapter, ask("two")));
    expect(server.effects).toMatchObject([{ crew: "reviewers" }, { inputs: { message: "two" } }]);
    expect(server.effects[1]).not.toHaveProperty("crew");
  });

  test("names the tasks to review, the thread, and the run that it follows", async () => {
    const { server, client } = setUp();
    const adapter = createCrewAdapter(client, { review: () => ["research_trends"] });
    for await (const _ of run(adapter, ask("x")));
    expect(server.effects).toMatchObject([
      { cmd: "start", review: ["research_trends"], thread: adapter.thread.noted(), after: "r_before" },
    ]);
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
    // What was stopped is heard to its end.
    if (commands.length > 1) server.grow();
    await vi.waitFor(() => expect(server.sockets.size).toBe(0));
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

  test("what could not be started is worded by the app, as any other run is", async () => {
    const { server, client } = setUp();
    server.weather.refused.start = "at_capacity";
    const failures: unknown[] = [];
    const adapter = createCrewAdapter(client, {
      text: (view) => (view.state === "failed" ? `Error: ${view.error.message}` : "…"),
      onError: ({ code }) => failures.push(code),
    });
    let last: ChatModelRunResult = {};
    for await (last of run(adapter, ask("Coffee in Lisbon")));
    expect(textOf(last)).toEqual(["Error: start is refused"]);
    expect(last.content?.[0]).toMatchObject({ data: { inputs: { message: "Coffee in Lisbon" } } });
    expect(failures).toEqual(["at_capacity"]);
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
  test("Stop while the sidecar is away is no stop yet: it is kept, and sent again when the sidecar is back", async () => {
    const { server, client } = setUp();
    server.hold(6);
    const page = await chat(client);
    page.send("hi");
    await reads(page, "> hi", "A (running)");
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    for (const socket of server.sockets) socket.drop(1006);
    act(() => page.thread.cancelRun());
    await until(() => expect(client.pending).toMatchObject([{ command: { cmd: "cancel" }, unconfirmed: true }]));
    expect(page.told()).toEqual(["> hi", "A (running)"]);
    Object.assign(server.weather, { ws: "ok", http: "ok" });
    client.reconnect();
    await reads(page, "> hi", "A (cancelled)");
    expect(server.effects).toMatchObject([{ cmd: "start" }, { cmd: "cancel", run: server.run }]);
    expect(client.pending).toEqual([]);
  });

  test("a message behind such a Stop is answered, and can be stopped itself", async () => {
    const server = fakeServer(LOG, logOf("r_02", LOG));
    server.hold(6);
    server.hold(6, "r_02");
    server.weather.refused.cancel = "unavailable";
    const page = await chat(clientOf(server));
    page.send("one");
    await reads(page, "> one", "A (running)");
    act(() => page.thread.cancelRun());
    page.send("two");
    await reads(page, "> one", "A (cancelled)", "> two", "A (running)");
    delete server.weather.refused.cancel;
    act(() => page.thread.cancelRun());
    await reads(page, "> one", "A (cancelled)", "> two", "A (cancelled)");
    const stopped = () => new Set(server.effects.slice(2).map((effect) => "run" in effect && effect.run));
    await until(() => expect(stopped()).toEqual(new Set(["r_01jd", "r_02"])));
  });

  test.each([
    ["and the reply goes on", []],
    ["while a tool is at work beside it too", [["tool.started", { call: "t9", tool: "search", args: {} }]]],
  ] as const)("the result that addResult gives to a question is its answer, %s", async (_, beside) => {
    const asking = eventsOf("waiting for an answer");
    const { input } = asking.at(-1)!.data as { readonly input: string };
    const end = { output: "Shorter it is", tasks: [], usage: emptyRun.usage, seconds: 1, unapplied: [] };
    const more = [...beside, ["input.answered", { input, text: "Shorter" }], ["run.completed", end]] as const;
    const log = [
      ...asking,
      ...more.map(([type, data], n) => {
        const seq = asking.length + 1 + n;
        return {
          ...asking.at(-1)!,
          seq,
          id: `k3f9-${seq}`,
          type,
          data,
          ...(data === end && { final: true }),
        } as RunEvent;
      }),
    ];
    const { server, client } = setUp(log);
    server.hold(asking.length + beside.length);
    const page = await chat(client);
    page.send("hi");
    const tools = () => page.last().content.flatMap((part) => (part.type === "tool-call" ? [part] : []));
    await until(() => expect(tools().filter(({ result }) => result === undefined)).toHaveLength(1 + beside.length));
    expect(page.last().status?.type).toBe("requires-action");
    const at = page.last().content.findIndex((part) => part.type === "tool-call" && part.toolName === CREW_QUESTION);
    act(() => page.thread.getMessageByIndex(1).getMessagePartByIndex(at).addToolResult("Shorter"));
    await until(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "answer", input, text: "Shorter" }));
    server.grow();
    await until(() => expect(page.last().status).toEqual({ type: "complete", reason: "stop" }));
    expect(page.last().content.filter(({ type }) => type === "data")).toHaveLength(1);
    expect(new Set(tools().map(({ toolCallId }) => toolCallId)).size).toBe(tools().length);
    expect(tools().find(({ toolName }) => toolName === CREW_QUESTION)?.result).toBe("Shorter");
    expect(page.messages()).toHaveLength(2);
    expect(page.told()[1]).toBe("Shorter it is (complete)");
    expect(server.effects.map(({ cmd }) => cmd)).toEqual(["start", "answer"]);
  });

  test("a new conversation begins once the thread is cleared and the runtime reset", async () => {
    const { server, client } = setUp();
    const page = await chat(client);
    page.send("one");
    await reads(page, "> one", "Up and up (complete)");
    act(() => {
      conversation(client).clear();
      page.thread.reset();
    });
    await reads(page);
    page.send("two");
    await reads(page, "> two", "Up and up (complete)");
    const [first, second] = server.effects as { readonly thread?: string; readonly after?: string }[];
    expect(second?.thread).not.toBe(first?.thread);
    expect(second?.after).toBe("");
  });

  test("an event, a question and the end of a run are told to the app once, StrictMode or not", async () => {
    const { server, client } = setUp(eventsOf("waiting for an answer"));
    const told: string[] = [];
    const page = await chat(client, {
      onEvent: ({ seq }) => told.push(`event ${seq}`),
      onQuestion: ({ id }, run) => told.push(`question ${id} of ${run}`),
      onFinish: ({ state }, { restored }) => told.push(`${state} ${restored}`),
    });
    page.send("hi");
    await until(() => expect(page.last().status?.type).toBe("requires-action"));
    const { length } = eventsOf("waiting for an answer");
    const events = Array.from({ length }, (_, n) => `event ${n + 1}`);
    expect(told.toSorted()).toEqual([...events, `question i_1 of ${server.run}`].toSorted());
    await leave();
    sessionStorage.clear();

    const finished: string[] = [];
    const other = setUp();
    const done = await chat(other.client, {
      onFinish: (view, { restored }) => finished.push(`${view.run} ${view.state} ${restored}`),
    });
    done.send("hi");
    await reads(done, "> hi", "Up and up (complete)");
    done.send("again");
    await until(() => expect(done.messages()).toHaveLength(4));
    await until(() => expect(done.last().status?.type).toBe("complete"));
    expect(finished).toEqual([`${other.server.run} completed false`]);
  });

  test("a run that was stopped is told as ended, once it has", async () => {
    const { server, client } = setUp(
      eventsOf("cancelled: the task that was cut off has failed, the one that never ran stays pending"),
    );
    server.hold(5);
    const finished: string[] = [];
    const page = await chat(client, { onFinish: ({ state }) => finished.push(state) });
    page.send("hi");
    await until(() => expect(page.last().content.length).toBeGreaterThan(1));
    act(() => page.thread.cancelRun());
    await until(() => expect(page.last().status).toMatchObject({ reason: "cancelled" }));
    expect(finished).toEqual([]);
    server.grow();
    await until(() => expect(finished).toEqual(["cancelled"]));
  });

  test("several threads are refused, not mixed", async () => {
    const { server, client } = setUp();
    const heard: string[] = [];
    const hear = (...said: unknown[]) => void heard.push(said.map(String).join(" "));
    const listeners = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection").on("unhandledRejection", hear);
    vi.spyOn(console, "error").mockImplementation(hear);
    try {
      let runtime: AssistantRuntime | undefined;
      const page = await chatWith(() => {
        const [{ chatModel, history }] = useState(() => createCrewAdapter(client));
        return (runtime = useLocalRuntime(chatModel, { adapters: { history } }));
      });
      page.send("hi");
      await reads(page, "> hi", "Up and up (complete)");
      act(() => void runtime!.threads.switchToNewThread());
      // 0.12 leaves the rejection to the page, 0.15 writes it down.
      await until(() => expect(heard.join()).toContain("a list of threads takes useCrewRuntime(client)"));
      act(() => runtime!.thread.append("hello"));
      const last = () => runtime!.thread.getState().messages.at(-1);
      await until(() => expect(last()?.status).toMatchObject({ type: "incomplete", reason: "error" }));
      expect(runtime!.thread.getState().messages).toHaveLength(2);
      expect(server.effects).toHaveLength(1);
    } finally {
      process.removeAllListeners("unhandledRejection");
      for (const listener of listeners) process.on("unhandledRejection", listener);
    }
  });

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
});
