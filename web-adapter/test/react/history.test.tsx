// @vitest-environment jsdom
import { act } from "react";
import { describe, expect, test } from "vitest";
import type { CrewClient, RunEvent } from "../../src/index.ts";
import { conversation, createCrewAdapter, type CrewAdapter } from "../../src/react/index.ts";
import { fakeServer, logOf } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";
import { chat, clientOf, edit, leave, reads, until } from "./mount.tsx";

const LOG = eventsOf("completed");
const SECOND = logOf("r_02", LOG);
const THIRD = logOf("r_03", LOG);

function setUp(...logs: readonly (readonly RunEvent[])[]) {
  const server = fakeServer(logs[0] ?? LOG, ...logs.slice(1));
  return { server, client: clientOf(server) };
}

/** Notes these runs as an earlier page would have. */
function remember(client: CrewClient, ...runs: readonly string[]): void {
  runs.forEach((run, n) => (client.storage?.() ?? sessionStorage).setItem(`crew.runs/${run}`, String(n)));
}

describe("loading", () => {
  const texts = async ({ history }: CrewAdapter) => {
    const { messages, unstable_resume } = await history.load();
    return { told: messages.map(({ message: { role, content } }) => [role, content.at(-1)]), unstable_resume };
  };

  test("tells a finished run from its log: the brief and the reply", async () => {
    const { server, client } = setUp();
    remember(client, server.run);
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

  test("says once that runs are gone which the sidecar no longer keeps, and asks for them no more", async () => {
    const { server, client } = setUp();
    remember(client, "r_gone", "r_gone_too", server.run);
    const { messages } = await createCrewAdapter(client).history.load();
    expect(messages.map(({ message: { role } }) => role)).toEqual(["assistant", "user", "assistant"]);
    expect(messages[0]?.message.status).toMatchObject({ type: "incomplete", reason: "error" });
    expect(messages[0]?.message.metadata.custom["error"]).toMatchObject({ code: "unknown_run" });
    expect(conversation(client).list()).toEqual([server.run]);
    expect(server.requests).toHaveLength(3);
    const again = await createCrewAdapter(client).history.load();
    expect(again.messages).toHaveLength(2);
  });

  test("gives the empty page, and forgets nothing, when no sidecar answers in time", async () => {
    const { server, client } = setUp();
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    remember(client, server.run);
    expect(await texts(createCrewAdapter(client, { patience: 30 }))).toEqual({ told: [], unstable_resume: false });
    expect(conversation(client).list()).toEqual([server.run]);
  });

  test("words the brief as the page does", async () => {
    const { server, client } = setUp();
    remember(client, server.run);
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
    server.sayWhenLive();
    remember(client, server.run, "r_02");
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
    server.sayWhenLive();
    remember(client, server.run);
    const page = await chat(client);
    await until(() => expect(page.thread.getState().isRunning).toBe(true));
    act(() => page.thread.cancelRun());
    await until(() => expect(page.last().status).toEqual({ type: "incomplete", reason: "cancelled" }));
    await until(() => expect(server.effects).toMatchObject([{ cmd: "cancel", run: server.run }]));
  });

  test("a message to a run that was gone on with steers it", async () => {
    const { server, client } = setUp();
    server.hold(6);
    server.sayWhenLive();
    remember(client, server.run);
    const page = await chat(client);
    await until(() => expect(page.told().at(-1)).toBe("A (running)"));
    page.send("two");
    await reads(page, "> Coffee in Lisbon", "A (cancelled)", "> two", "A (running)");
    expect(server.effects).toMatchObject([{ cmd: "modify", run: server.run, instruction: "two" }]);
  });

  test("a message is noted, so that the next page finds it", async () => {
    const { server, client } = setUp();
    const page = await chat(client);
    page.send("hi");
    await until(() => expect(page.last().status?.type).toBe("complete"));
    expect(conversation(client).list()).toEqual([server.run]);
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
    const page = await chat(clientOf(fakeServer(log)));
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
    server.sayWhenLive();
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
    server.sayWhenLive();
    const client = clientOf(server, { storage });
    remember(client, server.run, "r_02");
    const page = await chat(client);
    const brief = "> Coffee in Lisbon";
    await reads(page, brief, brief, "A (running)");
    server.grow();
    await reads(page, brief, brief, "Up and up|A (running)");
    server.grow(Infinity, "r_02");
    await reads(page, brief, brief, "Up and up|Up and up (complete)");
  });
});
