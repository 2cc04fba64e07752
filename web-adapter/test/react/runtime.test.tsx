// @vitest-environment jsdom
import { act } from "react";
import { describe, expect, test, vi } from "vitest";
import type { CrewRuntimeOptions } from "../../src/react/index.ts";
import { fakeServer, logOf } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";
import { chat, clientOf, edit, leave, reads, until, type Chat } from "./mount.tsx";

const FIRST = eventsOf("completed");
const SECOND = logOf("r_02", FIRST);
/** So much of a log has the words "A", and no more. */
const A = 6;

const CANCELLED = eventsOf("cancelled: the task that was cut off has failed, the one that never ran stays pending");
const ASKS = eventsOf("waiting for an answer");
const custom = (page: Chat) => page.last().metadata.custom as Record<string, unknown>;

function setUp(options: CrewRuntimeOptions = {}, ...logs: (typeof FIRST)[]) {
  const server = fakeServer(FIRST, ...(logs.length ? logs : [SECOND]));
  for (const [run] of [[server.run], ["r_02"]] as const) server.hold(A, run);
  const client = clientOf(server);
  const done = () => server.effects.map((effect) => [effect.cmd, "run" in effect ? effect.run : ""].join(" ").trim());
  return { server, client, done, open: () => chat(client, options) };
}

/** A chat whose first message's run has written "A" and is live. */
async function live(options: CrewRuntimeOptions = {}, ...logs: (typeof FIRST)[]) {
  const all = setUp(options, ...logs);
  const page = await all.open();
  page.send("one");
  await reads(page, "> one", "A (running)");
  return { ...all, page };
}

describe("one message, one run, one reply", () => {
  test("it is told while it is written, and ends with the output", async () => {
    const { server, page } = await live();
    const { id } = page.last();
    server.grow();
    await reads(page, "> one", "Up and up (complete)");
    expect(page.last()).toMatchObject({ id, metadata: { custom: { run: server.run } } });
    expect(page.thread.getState().isRunning).toBe(false);
    const [thread] = server.threads.keys();
    expect(server.effects).toMatchObject([{ cmd: "start", thread, after: "", inputs: { message: "one" } }]);
  });

  test("the next one follows it in the same thread", async () => {
    const { server, page } = await live();
    server.grow();
    await reads(page, "> one", "Up and up (complete)");
    page.send("two");
    await reads(page, "> one", "Up and up (complete)", "> two", "A (running)");
    expect(server.effects.at(-1)).toMatchObject({ cmd: "start", after: server.run });
    expect(server.threads.size).toBe(1);
  });

  test("a reload in mid-run goes on with it at its cursor: no event is asked for twice", async () => {
    const { server, page, open } = await live();
    await leave();
    server.requests.length = 0;
    const next = await open();
    await reads(next, "> one", "A (running)");
    expect(next.thread.getState().isRunning).toBe(true);
    server.grow();
    await reads(next, "> one", "Up and up (complete)");
    const cursors = server.requests.filter(({ via }) => via === "ws").map(({ after }) => after);
    // Read by StrictMode's two mounts, and followed from where the second one has got to.
    expect(cursors.at(-1)).toBe(FIRST[A - 1]!.id);
    expect(cursors.filter((after) => after === null).length).toBeLessThanOrEqual(2);
    expect(server.effects).toHaveLength(1);
    expect(page.messages().length).toBe(2);
  });
});

describe("a message while a run is live", () => {
  test("steers it: it stands above the run's one reply, after a reload too", async () => {
    const log = FIRST.map((event) =>
      event.seq === 7 ? { ...event, type: "run.modifying", cause: "chat.1", data: { instruction: "two" } } : event,
    ) as typeof FIRST;
    const server = fakeServer(log);
    server.hold(A);
    const client = clientOf(server);
    const page = await chat(client);
    page.send("one");
    await reads(page, "> one", "A (running)");
    page.send("two");
    await reads(page, "> one", "> two", "A (running)");
    await until(() =>
      expect(server.effects.at(-1)).toMatchObject({ cmd: "modify", run: server.run, instruction: "two" }),
    );
    server.grow();
    const told = page.told();
    await leave();
    const next = await chat(client);
    await reads(next, ...told.slice(0, 2), "Up and up (complete)");
  });

  test("answers the crew's open question", async () => {
    const server = fakeServer(ASKS);
    const page = await chat(clientOf(server));
    page.send("one");
    await until(() => expect(page.last().content[0]).toMatchObject({ data: { state: "waiting" } }));
    page.send("Shorter");
    await until(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "answer", run: server.run, text: "Shorter" }));
  });

  test("starts a run of its own, behind the other one, when that has ended meanwhile", async () => {
    const { server, page, done } = await live();
    server.weather.refused.modify = "illegal_state";
    page.send("two");
    await reads(page, "> one", "A (running)", "> two", " (running)");
    server.grow();
    server.grow(Infinity, "r_02");
    await reads(page, "> one", "Up and up (complete)", "> two", "Up and up (complete)");
    expect(done()).toEqual(["start", "start"]);
  });

  test("that did not get there says why, above the live reply", async () => {
    const { server, page } = await live();
    server.weather.refused.modify = "too_large";
    page.send("two");
    await reads(page, "> one", "> two", " (error)", "A (running)");
    expect(page.messages()[2]!.status).toMatchObject({ error: "modify is refused" });
    expect(page.thread.getState().isRunning).toBe(true);
  });

  test("reject: refuses it, and tells the app", async () => {
    const onError = vi.fn<NonNullable<CrewRuntimeOptions["onError"]>>();
    const { page, done } = await live({ whileLive: "reject", onError });
    page.send("two");
    await reads(page, "> one", "> two", " (error)", "A (running)");
    expect(onError.mock.lastCall?.[0]).toMatchObject({ code: "busy" });
    expect(done()).toEqual(["start"]);
  });

  test("interrupt: the live run is cancelled, then it starts one beside it", async () => {
    const { server, page, done } = await live({ whileLive: "interrupt" }, SECOND);
    page.send("two");
    await until(() => expect(done()).toEqual(["start", `cancel ${server.run}`, "start"]));
    expect(server.effects.at(-1)).toMatchObject({ parallel: true, after: server.run });
    await reads(page, "> one", "A (running)", "> two", "A (running)");
  });

  test("queue: it starts when the live run has ended", async () => {
    const { server, page, done } = await live({ whileLive: "queue" });
    page.send("two");
    await until(() => expect(page.thread.getState().isRunning).toBe(true));
    expect(done()).toEqual(["start"]);
    server.grow();
    await reads(page, "> one", "Up and up (complete)", "> two", "A (running)");
    expect(server.effects.at(-1)).toMatchObject({ after: server.run, inputs: { message: "two" } });
    expect(server.effects.at(-1)).not.toHaveProperty("parallel");
  });
});

describe("the stock composer", () => {
  test("sends while a run is live, and queues what is not to steer it, where assistant-ui has a queue", async ({
    skip,
  }) => {
    const { server, page } = await live();
    const { composer } = page.thread;
    skip(!page.thread.getState().capabilities.queue, "this assistant-ui has none");
    await act(async () => composer.setText("two"));
    await act(async () => composer.send());
    await until(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "modify", instruction: "two" }));
    await act(async () => composer.setText("three"));
    await act(async () => composer.send({ steer: false }));
    await until(() => expect(composer.getState().queue).toMatchObject([{ prompt: "three" }]));
    const [item] = composer.getState().queue;
    act(() => composer.steerQueueItem(item!.id));
    await until(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "modify", instruction: "three" }));
    expect(composer.getState().queue).toEqual([]);
    await reads(page, "> one", "> two", "> three", "A (running)");
  });
});

describe("Stop", () => {
  test("cancels the live run, which says itself that it was", async () => {
    const { server, page } = await live();
    act(() => page.thread.cancelRun());
    await until(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "cancel", run: server.run }));
    await reads(page, "> one", "A (running)");
    expect(custom(page)).not.toHaveProperty("unconfirmed");
  });

  test("is honest: while the sidecar is away it says that it is not confirmed, and it is sent again", async () => {
    const log = CANCELLED;
    const server = fakeServer(log);
    server.hold(15);
    const page = await chat(clientOf(server));
    page.send("one");
    await until(() => expect(page.last().status).toEqual({ type: "running" }));
    await until(() => expect(page.told().at(-1)).toMatch(/^\w/));
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    for (const socket of server.sockets) socket.drop(1006);
    act(() => page.thread.cancelRun());
    await until(() => expect(custom(page)).toMatchObject({ unconfirmed: "cancel" }));
    expect(page.told().at(-1)).toContain("Not confirmed by the sidecar");
    expect(page.last().status).toEqual({ type: "running" });
    Object.assign(server.weather, { ws: "ok", http: "ok" });
    server.grow();
    await until(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "cancel", run: server.run }));
    await until(() => expect(page.last().status).toEqual({ type: "incomplete", reason: "cancelled" }));
    expect(page.told().at(-1)).not.toContain("Not confirmed");
    expect(server.effects.filter(({ cmd }) => cmd === "cancel")).toHaveLength(1);
  });

  test("what waits is not sent before the next message", async () => {
    const { server, page, done } = await live({ whileLive: "queue" });
    page.send("two");
    act(() => page.thread.cancelRun());
    server.grow();
    await until(() => expect(page.thread.getState().isRunning).toBe(false));
    expect(done()).toEqual(["start", `cancel ${server.run}`]);
  });
});

describe("a question", () => {
  test("is answered by the tool call's addResult, and the reply goes on", async () => {
    const server = fakeServer(eventsOf("answered"));
    server.hold(ASKS.length);
    const page = await chat(clientOf(server));
    page.send("one");
    await until(() => expect(page.last().content.at(-2)).toMatchObject({ toolName: "crew_question" }));
    const index = page.last().content.findIndex(({ type }) => type === "tool-call");
    const part = page.thread.getMessageByIndex(1).getMessagePartByIndex(index);
    act(() => part.addToolResult("Shorter"));
    const { input } = ASKS.at(-1)!.data as { input: string };
    await until(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "answer", input, text: "Shorter" }));
    server.grow();
    await until(() => expect(page.last().content[0]).toMatchObject({ data: { state: "running" } }));
  });
});

describe("branches", () => {
  test("an edit is one, which follows what came before it", async () => {
    const { server, page } = await live();
    server.grow();
    await reads(page, "> one", "Up and up (complete)");
    await edit(page, 0, "other");
    await reads(page, "> other", "A (running)");
    expect(server.effects.at(-1)).toMatchObject({ cmd: "start", after: "", inputs: { message: "other" } });
    server.grow(Infinity, "r_02");
    await reads(page, "> other", "Up and up (complete)");
    act(() => page.thread.getMessageByIndex(0).switchToBranch({ position: "previous" }));
    await reads(page, "> one", "Up and up (complete)");
    page.send("on");
    await until(() => expect(server.effects.at(-1)).toMatchObject({ after: server.run, inputs: { message: "on" } }));
  });

  test("a reload of a reply is one below the same message", async () => {
    const { server, page } = await live();
    server.grow();
    await reads(page, "> one", "Up and up (complete)");
    act(() => page.thread.getMessageByIndex(1).reload());
    await reads(page, "> one", "A (running)");
    expect(server.effects.at(-1)).toMatchObject({ cmd: "start", after: "", inputs: { message: "one" } });
    expect(page.thread.getMessageByIndex(1).getState()).toMatchObject({ branchNumber: 2, branchCount: 2 });
    expect(page.thread.getMessageByIndex(0).getState()).toMatchObject({ branchCount: 1 });
  });

  test("both are there after a reload of the page, in their order", async () => {
    const { server, page, open } = await live();
    server.grow();
    await reads(page, "> one", "Up and up (complete)");
    await edit(page, 0, "other");
    server.grow(Infinity, "r_02");
    await reads(page, "> other", "Up and up (complete)");
    await leave();
    const next = await open();
    await reads(next, "> other", "Up and up (complete)");
    await until(() =>
      expect(next.thread.getMessageByIndex(0).getState()).toMatchObject({ branchNumber: 2, branchCount: 2 }),
    );
  });

  test("an edit of what a live run was asked takes that run's place", async () => {
    const { server, page, done } = await live();
    await edit(page, 0, "other");
    await reads(page, "> other", "A (running)");
    expect(done()).toEqual(["start", `cancel ${server.run}`, "start"]);
  });
});

describe("what the app brings", () => {
  test("initialMessages begin every thread, and no crew is sent them", async () => {
    const { server, open } = setUp({ initialMessages: [{ role: "assistant", content: "Welcome" }] });
    const page = await open();
    await reads(page, "Welcome (complete)");
    page.send("one");
    await reads(page, "Welcome (complete)", "> one", "A (running)");
    expect(server.effects).toMatchObject([{ after: "", inputs: { message: "one" } }]);
  });

  test("toInputs is given the conversation up to the message", async () => {
    const { server, page } = await live({
      toInputs: (messages) => ({ turns: messages.map(({ role }) => role).join() }),
    });
    server.grow();
    await reads(page, "> one", "Up and up (complete)");
    page.send("two");
    await until(() => expect(server.effects.at(-1)).toMatchObject({ inputs: { turns: "user,assistant,user" } }));
  });

  test("a start that fails is worded by the app's own toResult", async () => {
    const onError = vi.fn<NonNullable<CrewRuntimeOptions["onError"]>>();
    const { server, open } = setUp({
      onError,
      toResult: (view) => ({ content: [{ type: "text", text: "error" in view ? `Oh: ${view.error.message}` : "" }] }),
    });
    server.weather.refused.start = "at_capacity";
    const page = await open();
    page.send("one");
    await until(() => expect(page.told().at(-1)).toContain("Oh: start is refused"));
    expect(onError).toHaveBeenCalledTimes(1);
  });

  test("a start that fails says why by itself", async () => {
    const { server, open } = setUp();
    server.weather.refused.start = "at_capacity";
    const page = await open();
    page.send("one");
    await reads(page, "> one", " (error)");
    expect(page.last().status).toMatchObject({ error: "start is refused" });
    expect(custom(page)).toMatchObject({ error: { code: "at_capacity" } });
  });

  test("hears of each event, of a question, and of the end once", async () => {
    const onEvent = vi.fn<NonNullable<CrewRuntimeOptions["onEvent"]>>();
    const onFinish = vi.fn<NonNullable<CrewRuntimeOptions["onFinish"]>>();
    const { server, page, open } = await live({ onEvent, onFinish });
    expect(onFinish).not.toHaveBeenCalled();
    server.grow();
    await until(() => expect(onFinish).toHaveBeenCalledTimes(1));
    expect(onFinish.mock.lastCall).toMatchObject([{ run: server.run, state: "completed" }, { restored: false }]);
    expect(onEvent.mock.calls.map(([{ seq }]) => seq)).toEqual(FIRST.map(({ seq }) => seq));
    await leave();
    await reads(await open(), ...page.told());
    expect(onFinish).toHaveBeenCalledTimes(1);
    // Another page: another client.
    const later = vi.fn<NonNullable<CrewRuntimeOptions["onFinish"]>>();
    await leave();
    await chat(clientOf(server), { onFinish: later });
    await until(() => expect(later).toHaveBeenCalledTimes(1));
    expect(later.mock.lastCall?.[1]).toEqual({ restored: true });
  });

  test("a toInputs that throws is a start that failed", async () => {
    const said = vi.spyOn(console, "error").mockReturnValue();
    const toInputs = () => {
      throw new TypeError("no such message");
    };
    const { server, open } = setUp({ toInputs });
    const page = await open();
    page.send("one");
    await reads(page, "> one", " (error)");
    expect(page.thread.getState().isRunning).toBe(false);
    expect(said).toHaveBeenCalledTimes(1);
    expect(server.effects).toEqual([]);
  });

  test("what its callbacks throw stops nothing", async () => {
    const said = vi.spyOn(console, "error").mockReturnValue();
    const { server, page } = await live({
      onEvent: () => {
        throw new Error("the app's");
      },
    });
    server.grow();
    await reads(page, "> one", "Up and up (complete)");
    expect(said).toHaveBeenCalledTimes(FIRST.length);
  });
});

describe("history that can't be loaded", () => {
  test("says so, and is there once the sidecar is", async () => {
    const { server, page, open } = await live();
    server.grow();
    await reads(page, "> one", "Up and up (complete)");
    await leave();
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    const next = await open();
    await reads(next, " (error)");
    expect(next.last().status).toMatchObject({ error: expect.stringContaining("No sidecar answers") as string });
    Object.assign(server.weather, { ws: "ok", http: "ok" });
    await reads(next, "> one", "Up and up (complete)");
  });

  test("says so where it is the app's own toText that fails", async () => {
    const { server, client, page } = await live();
    server.grow();
    await reads(page, "> one", "Up and up (complete)");
    await leave();
    const said = vi.spyOn(console, "error").mockReturnValue();
    const toText = () => {
      throw new TypeError("no such input");
    };
    const next = await chat(client, { toText });
    await reads(next, " (error)");
    expect(next.last().status).toMatchObject({ error: "TypeError: no such input" });
    expect(said).toHaveBeenCalled();
  });

  test("says so where the sidecar no longer keeps it", async () => {
    const { server, open } = await live();
    await leave();
    server.threads.clear();
    const page = await open();
    await reads(page, " (error)");
    expect(custom(page)).toMatchObject({ error: { code: "unknown_thread" } });
    page.send("one");
    await reads(page, " (error)", "> one", "A (running)");
  });
});
