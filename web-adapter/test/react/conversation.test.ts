import { describe, expect, test, vi } from "vitest";
import type { AppendMessage, ThreadMessage } from "@assistant-ui/react";
import { createCrewClient, emptyRun } from "../../src/index.ts";
import { createConversation } from "../../src/react/conversation.ts";
import type { CrewRuntimeOptions } from "../../src/react/options.ts";
import { pathTo, repositoryOf, unshift, userMessage, type Turn } from "../../src/react/turns.ts";
import { fakeServer, logOf } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";

const FIRST = eventsOf("completed");
/** So much of a log has the words "A", and no more. */
const A = 6;

const words = ({ content }: ThreadMessage) =>
  content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("|");

/** One thread by itself: no React, no assistant-ui. `gate`: what is posted arrives when it has resolved. */
function setUp(options: CrewRuntimeOptions = {}, gate?: Promise<void>) {
  const server = fakeServer(FIRST, logOf("r_02", FIRST), logOf("r_03", FIRST));
  for (const run of [server.run, "r_02", "r_03"]) server.hold(A, run);
  const fetch: typeof globalThis.fetch = async (...request) => {
    await gate;
    return server.options.fetch(...request);
  };
  const client = createCrewClient({ ...server.options, fetch, random: () => 0 });
  const around = {
    begun: vi.fn<() => void>(),
    changed: vi.fn<() => void>(),
    moved: vi.fn<() => void>(),
    report: vi.fn<() => void>(),
  };
  const conversation = createConversation(client, "t_1", () => options, [], around, true);
  const close = conversation.open();
  const told = () => {
    const { repository } = conversation.getState();
    return pathTo(repository, repository.headId ?? null).map(
      (message) => (message.role === "user" ? "> " : "") + words(message),
    );
  };
  const send = (text: string, how?: "queue", queued?: boolean) => {
    const { headId = null } = conversation.getState().repository;
    const message = { role: "user", content: [{ type: "text", text }], parentId: headId } as unknown as AppendMessage;
    conversation.send(message, how, queued);
  };
  const queue = () => conversation.getState().queue.map(({ id, prompt }) => [prompt, id] as const);
  return { server, conversation, around, close, told, send, queue };
}

describe("a conversation", () => {
  test("is the same object until something changes, and so are the messages that did not", async () => {
    const { server, conversation, told, send, close } = setUp();
    send("one");
    await vi.waitFor(() => expect(told()).toEqual(["> one", "A"]));
    const before = conversation.getState();
    expect(conversation.getState()).toBe(before);
    server.grow();
    await vi.waitFor(() => expect(told()).toEqual(["> one", "Up and up"]));
    const after = conversation.getState();
    expect(after).not.toBe(before);
    expect(after.repository.messages[0]!.message).toBe(before.repository.messages[0]!.message);
    close();
  });

  test("goes on where it was when it is closed and opened again", async () => {
    const { server, conversation, told, send, close } = setUp();
    send("one");
    await vi.waitFor(() => expect(told()).toEqual(["> one", "A"]));
    close();
    await vi.waitFor(() => expect(server.lines.size).toBe(0));
    conversation.open();
    server.grow();
    await vi.waitFor(() => expect(told()).toEqual(["> one", "Up and up"]));
    expect(server.requests.filter(({ via }) => via === "ws").map(({ after }) => after)).toEqual([
      null,
      FIRST[A - 1]!.id,
    ]);
  });

  test("a run that was asked for as it was closed is followed when it is opened", async () => {
    const { server, conversation, told, send, close } = setUp();
    send("one");
    close();
    await vi.waitFor(() => expect(server.effects).toHaveLength(1));
    conversation.open();
    await vi.waitFor(() => expect(told()).toEqual(["> one", "A"]));
  });
});

describe("the composer's queue", () => {
  test("keeps what waits out of the thread until its turn comes", async () => {
    const { server, told, send, queue } = setUp();
    send("one");
    await vi.waitFor(() => expect(told()).toEqual(["> one", "A"]));
    send("two", "queue", true);
    send("three", "queue", true);
    expect(queue().map(([prompt]) => prompt)).toEqual(["two", "three"]);
    expect(told()).toEqual(["> one", "A"]);
    server.grow();
    await vi.waitFor(() => expect(told()).toEqual(["> one", "Up and up", "> two", "A"]));
    expect(queue().map(([prompt]) => prompt)).toEqual(["three"]);
    expect(server.effects.at(-1)).toMatchObject({ cmd: "start", after: server.run });
  });

  test("can be thinned out, and its items be changed or sent to the live run", async () => {
    const { server, conversation, told, send, queue } = setUp();
    send("one");
    await vi.waitFor(() => expect(told()).toEqual(["> one", "A"]));
    for (const text of ["two", "three", "four"]) send(text, "queue", true);
    const [two, three, four] = queue().map(([, id]) => id);
    conversation.queue.remove(two!);
    conversation.queue.edit(three!, { content: [{ type: "text", text: "3" }] } as unknown as AppendMessage);
    conversation.queue.steer(four!);
    expect(queue().map(([prompt]) => prompt)).toEqual(["3"]);
    await vi.waitFor(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "modify", instruction: "four" }));
    expect(told()).toEqual(["> one", "> four", "A"]);
  });

  test("rests after a Stop, until something is sent", async () => {
    const { server, conversation, told, send, queue } = setUp();
    send("one");
    await vi.waitFor(() => expect(told()).toEqual(["> one", "A"]));
    send("two", "queue", true);
    conversation.stop();
    server.grow();
    await vi.waitFor(() => expect(conversation.getState().running).toBe(false));
    expect(queue()).toHaveLength(1);
    server.grow(Infinity, "r_02");
    send("three");
    await vi.waitFor(() => expect(told()).toEqual(["> one", "Up and up", "> three", "Up and up", "> two", "A"]));
  });
});

describe("Stop before a run has its id", () => {
  test("of what was not sent yet sends nothing", async () => {
    const { server, conversation, send } = setUp();
    send("one");
    conversation.stop();
    await vi.waitFor(() => expect(conversation.getState().running).toBe(false));
    expect(conversation.getState().repository.messages[1]!.message.status).toMatchObject({ reason: "cancelled" });
    expect(server.requests).toEqual([]);
  });

  test("says that it is not confirmed, and cancels it as soon as it has one", async () => {
    let open = () => {};
    const { server, conversation, send } = setUp({}, new Promise((resolve) => (open = resolve)));
    send("one");
    await Promise.resolve();
    conversation.stop();
    const [, reply] = conversation.getState().repository.messages;
    expect(reply!.message.metadata.custom).toMatchObject({ unconfirmed: "cancel" });
    open();
    await vi.waitFor(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "cancel", run: server.run }));
  });
});

describe("the tree", () => {
  const turn = (id: string, after: string, text: string): Turn => ({
    id,
    run: id,
    after,
    brief: userMessage(`${id}-brief`, { content: [{ type: "text", text }] }),
    said: [],
    view: emptyRun,
  });
  const reply = ({ id }: Turn) => userMessage(id, {});
  const tree = (turns: readonly Turn[]) =>
    repositoryOf(turns, [], reply, () => reply(turns[0]!), undefined).messages.map(
      ({ message, parentId }) => `${parentId ?? ""} < ${message.id}`,
    );

  test("is told parents first, whatever the order in which its runs were loaded", () => {
    expect(tree([turn("b", "a", "2"), turn("a", "", "1")])).toEqual([
      " < a-brief",
      "a-brief < a",
      "a < b-brief",
      "b-brief < b",
    ]);
  });

  test("replies to the same words at the same place share the message, others are branches", () => {
    const loaded = unshift(unshift([turn("c", "", "other")], turn("b", "", "one")), turn("a", "", "one"));
    expect(tree(loaded)).toEqual([" < a-brief", "a-brief < a", "a-brief < b", " < c-brief++", "c-brief++ < c"]);
  });

  test("what followed something that is gone stands where it was told", () => {
    expect(tree([turn("a", "", "1"), turn("b", "gone", "2"), turn("c", "gone", "3")]).at(-2)).toBe("a < c-brief");
  });
});
