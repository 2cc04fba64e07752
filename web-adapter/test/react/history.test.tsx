// @vitest-environment jsdom
import { act } from "react";
import { describe, expect, test, vi } from "vitest";
import type { CrewClient, RunEvent } from "../../src/index.ts";
import { conversation, createCrewAdapter, type CrewAdapter } from "../../src/react/index.ts";
import { fakeServer, logOf } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";
import { localChat as chat, clientOf, edit, leave, reads, until } from "./mount.tsx";

const LOG = eventsOf("completed");
const SECOND = logOf("r_02", LOG);
const THIRD = logOf("r_03", LOG);

function setUp(...logs: readonly (readonly RunEvent[])[]) {
  const server = fakeServer(logs[0] ?? LOG, ...logs.slice(1));
  return { server, client: clientOf(server) };
}

/** Has these runs in the tab's thread, as an earlier page would. */
function remember(server: ReturnType<typeof fakeServer>, client: CrewClient, ...runs: readonly string[]): void {
  server.remember(conversation(client).id(), ...runs);
}

describe("loading", () => {
  const texts = async ({ history }: CrewAdapter) => {
    const { messages, unstable_resume } = await history.load();
    return { told: messages.map(({ message: { role, content } }) => [role, content.at(-1)]), unstable_resume };
  };

  test("tells a finished run from its log: the brief and the reply", async () => {
    const { server, client } = setUp();
    remember(server, client, server.run);
    expect(await texts(createCrewAdapter(client))).toEqual({
      told: [
        ["user", { type: "text", text: "Coffee in Lisbon" }],
        ["assistant", expect.objectContaining({ type: "text", text: "Up and up" })],
      ],
      unstable_resume: false,
    });
    expect(server.effects).toEqual([]);
    expect(server.sockets.size).toBe(0);
  });

  test("asks for nothing where nothing was said yet, and keeps what the page begins with", async () => {
    const { server, client } = setUp();
    const initialMessages = [{ role: "assistant", content: "Welcome!" }] as const;
    const before = vi.fn(server.options.fetch);
    const page = createCrewAdapter(clientOf(server, { fetch: before }), { initialMessages });
    expect((await texts(page)).told).toEqual([["assistant", { type: "text", text: "Welcome!" }]]);
    expect(before).not.toHaveBeenCalled();
    remember(server, client, server.run);
    const again = await texts(createCrewAdapter(client, { initialMessages }));
    expect(again.told.map(([role]) => role)).toEqual(["assistant", "user", "assistant"]);
  });

  test("says in its place what the sidecar no longer keeps, and tells the rest", async () => {
    const { server, client } = setUp();
    remember(server, client, "r_gone", server.run);
    const lost: string[] = [];
    const adapter = createCrewAdapter(client, { onError: ({ code }) => lost.push(code) });
    const { messages, headId } = await adapter.history.load();
    expect(messages.map(({ message: { role, id } }) => [role, id])).toEqual([
      ["user", "r_gone-brief"],
      ["assistant", "r_gone"],
      ["user", "r_01jd-brief"],
      ["assistant", "r_01jd"],
    ]);
    expect(headId).toBe("r_01jd");
    expect(messages[1]?.message).toMatchObject({
      status: { type: "incomplete", reason: "error", error: "no such run" },
      metadata: { custom: { run: "r_gone", error: { code: "unknown_run" } } },
    });
    expect(lost).toEqual(["unknown_run"]);
  });

  test("says that no sidecar answers, and forgets nothing", async () => {
    const { server, client } = setUp();
    remember(server, client, server.run);
    const { http } = server.weather;
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    const { messages } = await createCrewAdapter(client, { patience: 30 }).history.load();
    expect(messages).toHaveLength(1);
    expect(messages[0]?.message).toMatchObject({
      role: "assistant",
      status: { type: "incomplete", reason: "error" },
      metadata: { custom: { error: { code: "unreachable" } } },
    });
    Object.assign(server.weather, { ws: "ok", http });
    expect((await texts(createCrewAdapter(client))).told).toHaveLength(2);
  });

  test("tells the newest first: what takes too long is what is older", async () => {
    const logs = Array.from({ length: 6 }, (_, n) => logOf(`r_${n}`, LOG));
    const { server, client } = setUp(...logs);
    remember(server, client, ...logs.map(([event]) => event!.run));
    server.weather.live = false;
    let asked = 0;
    const follow: CrewClient["follow"] = (run, options) =>
      client.follow(asked++ < 4 ? run : (server.hold(3, run), run), options);
    const { messages } = await createCrewAdapter({ ...client, follow }, { patience: 60 }).history.load();
    const codes = messages
      .filter(({ message: { role } }) => role === "assistant")
      .map(({ message }) => (message.metadata?.custom["error"] as { code: string } | undefined)?.code);
    expect(codes).toEqual(["lost", "lost", undefined, undefined, undefined, undefined]);
  });

  test("lets pass what is no fault of the sidecar's", async () => {
    const { server, client } = setUp();
    remember(server, client, server.run);
    const adapter = createCrewAdapter(client, {
      toText() {
        throw new TypeError("message.trim is not a function");
      },
    });
    await expect(adapter.history.load()).rejects.toThrow("message.trim is not a function");
  });

  test("tells the app of each run that has ended meanwhile, and of an open question", async () => {
    const asking = logOf("r_02", eventsOf("waiting for an answer"));
    const { server, client } = setUp(LOG, asking);
    remember(server, client, server.run, "r_02");
    const told: unknown[] = [];
    const adapter = createCrewAdapter(client, {
      onFinish: (view, about) => told.push([view.run, view.state, about]),
      onQuestion: ({ id }, run) => told.push([run, id]),
      onEvent: ({ type }) => told.push(type),
    });
    await adapter.history.load();
    await adapter.history.load().catch(() => {});
    expect(told).toEqual([
      [server.run, "completed", { restored: true }],
      ["r_02", "i_1"],
    ]);
  });

  test("words the brief as the page does", async () => {
    const { server, client } = setUp();
    remember(server, client, server.run);
    const history = createCrewAdapter(client, {
      toText: (inputs) => Object.keys(inputs).join(),
      toResult: () => ({ content: [{ type: "text", text: "!" }] }),
    });
    expect((await texts(history)).told).toEqual([
      ["user", { type: "text", text: "message" }],
      ["assistant", { type: "text", text: "!" }],
    ]);
  });
});

describe("in assistant-ui's LocalRuntime", () => {
  test("a page that is loaded in mid-run goes on with it, and has each message once (assistant-ui #5791)", async () => {
    const { server, client } = setUp(LOG, SECOND);
    server.hold(6, "r_02");
    remember(server, client, server.run, "r_02");
    const page = await chat(client);
    const brief = "> Coffee in Lisbon";
    await reads(page, brief, "Up and up (complete)", brief, "A (running)");
    expect(page.thread.getState().isRunning).toBe(true);
    server.grow(Infinity, "r_02");
    await reads(page, brief, "Up and up (complete)", brief, "Up and up (complete)");
    expect(new Set(page.messages().map(({ id }) => id)).size).toBe(4);
    await leave();
    const next = await chat(client);
    await reads(next, brief, "Up and up (complete)", brief, "Up and up (complete)");
    expect(server.effects).toEqual([]);
  });

  test("Stop cancels a run that was gone on with", async () => {
    const { server, client } = setUp();
    server.hold(6);
    remember(server, client, server.run);
    const page = await chat(client);
    await until(() => expect(page.thread.getState().isRunning).toBe(true));
    act(() => page.thread.cancelRun());
    await until(() => expect(page.last().status).toEqual({ type: "incomplete", reason: "cancelled" }));
    await until(() => expect(server.effects).toMatchObject([{ cmd: "cancel", run: server.run }]));
  });

  test("a message to a run that was gone on with steers it", async () => {
    const { server, client } = setUp();
    server.hold(6);
    remember(server, client, server.run);
    const page = await chat(client);
    await until(() => expect(page.told().at(-1)).toBe("A (running)"));
    page.send("two");
    await reads(page, "> Coffee in Lisbon", "A (cancelled)", "> two", "A (running)");
    expect(server.effects).toMatchObject([{ cmd: "modify", run: server.run, instruction: "two" }]);
  });

  test("a message is in the tab's thread, so that the next page finds it", async () => {
    const { server, client } = setUp();
    const page = await chat(client);
    page.send("hi");
    await until(() => expect(page.last().status?.type).toBe("complete"));
    expect(server.threads.get(conversation(client).id())?.runs.map(({ run }) => run)).toEqual([server.run]);
  });

  test("a run that was gone on with is read once", async () => {
    const { server, client } = setUp();
    server.hold(6);
    remember(server, client, server.run);
    const page = await chat(client);
    await until(() => expect(page.told().at(-1)).toBe("A (running)"));
    const cursors = server.requests.flatMap(({ after, run }) =>
      run === server.run && after !== undefined ? [after] : [],
    );
    expect(cursors).toEqual([null, LOG[5]!.id]);
  });

  test("what was said to a live run is a message again after a reload, what was said elsewhere is none", async () => {
    const { server, client } = setUp();
    server.hold(6);
    const before = await chat(client);
    before.send("Coffee in Lisbon");
    await until(() => expect(before.told().at(-1)).toBe("A (running)"));
    before.send("Mention the harbour");
    await until(() => expect(server.effects).toHaveLength(2));
    const { id } = server.effects[1]!;
    const said = (cause: string, n: number) =>
      ({
        ...LOG[6]!,
        type: "run.modifying",
        seq: 7,
        id: `k3f9-7${n}`,
        cause,
        data: { instruction: "Mention the harbour" },
      }) as RunEvent;
    await leave();

    const log = [...LOG.slice(0, 6), said(id, 0), said("1-2-3-4", 1), ...LOG.slice(6)];
    const later = fakeServer(log);
    const next = clientOf(later);
    remember(later, next, later.run);
    const page = await chat(next);
    await reads(page, "> Coffee in Lisbon", "> Mention the harbour", "Up and up (complete)");
  });

  test("an edit stays a branch beside the first version, after a reload too", async () => {
    const { client } = setUp(LOG, SECOND, THIRD);
    const before = await chat(client);
    before.send("one");
    await reads(before, "> one", "Up and up (complete)");
    before.send("two");
    await reads(before, "> one", "Up and up (complete)", "> two", "Up and up (complete)");
    await edit(before, 2, "two, better");
    await reads(before, "> one", "Up and up (complete)", "> two, better", "Up and up (complete)");
    await leave();

    const page = await chat(client);
    await until(() => expect(page.messages()).toHaveLength(4));
    expect(page.thread.getMessageByIndex(2).getState()).toMatchObject({
      id: "r_03-brief",
      branchNumber: 2,
      branchCount: 2,
    });
    expect(page.thread.getMessageByIndex(0).getState()).toMatchObject({ branchCount: 1 });
    act(() => page.thread.getMessageByIndex(2).switchToBranch({ position: "previous" }));
    await until(() =>
      expect(page.messages().map(({ id }) => id)).toEqual(["r_01jd-brief", "r_01jd", "r_02-brief", "r_02"]),
    );
  });

  test("an edit of the very first message is a branch from the start", async () => {
    const { client } = setUp(LOG, SECOND);
    const before = await chat(client);
    before.send("one");
    await reads(before, "> one", "Up and up (complete)");
    await edit(before, 0, "one, better");
    await reads(before, "> one, better", "Up and up (complete)");
    await leave();
    const page = await chat(client);
    await until(() => expect(page.messages()).toHaveLength(2));
    expect(page.thread.getMessageByIndex(0).getState()).toMatchObject({ id: "r_02-brief", branchCount: 2 });
  });
});

describe("two tabs that share a storage", () => {
  const storage = () => localStorage;

  test("both are found after a reload: neither writes over what the other one noted", async () => {
    const server = fakeServer(LOG, SECOND);
    const [one, other] = [clientOf(server, { storage }), clientOf(server, { storage })];
    const [here, there] = [await chat(one), await chat(other)];
    here.send("one");
    there.send("two");
    await reads(here, "> one", "Up and up (complete)");
    await reads(there, "> two", "Up and up (complete)");
    await leave();
    const page = await chat(one);
    await until(() =>
      expect(
        page
          .messages()
          .filter(({ role }) => role === "assistant")
          .map(({ id }) => id)
          .sort(),
      ).toEqual(["r_01jd", "r_02"]),
    );
  });

  test("see the same run to its end", async () => {
    const server = fakeServer(LOG);
    server.hold(6);
    const here = await chat(clientOf(server, { storage }));
    here.send("Coffee in Lisbon");
    await reads(here, "> Coffee in Lisbon", "A (running)");
    const there = await chat(clientOf(server, { storage }));
    await reads(there, "> Coffee in Lisbon", "A (running)");
    server.grow();
    for (const page of [here, there]) await reads(page, "> Coffee in Lisbon", "Up and up (complete)");
    expect(server.effects).toHaveLength(1);
  });

  test("may have a live run each: a page that is loaded then tells both to their ends", async () => {
    const server = fakeServer(LOG, SECOND);
    server.hold(6);
    server.hold(6, "r_02");
    const client = clientOf(server, { storage });
    remember(server, client, server.run, "r_02");
    const page = await chat(client);
    const brief = "> Coffee in Lisbon";
    await reads(page, brief, brief, "A (running)");
    server.grow();
    await reads(page, brief, brief, "Up and up|A (running)");
    server.grow(Infinity, "r_02");
    await reads(page, brief, brief, "Up and up|Up and up (complete)");
  });
});
