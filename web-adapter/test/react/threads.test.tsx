// @vitest-environment jsdom
import { AssistantRuntimeProvider, useAuiState } from "@assistant-ui/react";
import { act, useState } from "react";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { describe, expect, test, vi } from "vitest";
import type { CrewClient, RunView } from "../../src/index.ts";
import { useCrewRuntime, useLiveRun, type CrewRuntimeOptions } from "../../src/react/index.ts";
import { fakeServer, logOf } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";
import { chat, chatWith, clientOf, leave, reads, show, until, type Chat } from "./mount.tsx";

const FIRST = eventsOf("completed");
/** So much of a log has the words "A", and no more. */
const A = 6;
const RUNS = ["r_02", "r_03"];

function setUp(options: CrewRuntimeOptions = {}) {
  const server = fakeServer(FIRST, ...RUNS.map((run) => logOf(run, FIRST)));
  for (const run of [server.run, ...RUNS]) server.hold(A, run);
  const client = clientOf(server);
  return { server, client, open: () => chat(client, options) };
}

/** Titles, and states, in the order of the list; the one that is shown is marked. */
const list = ({ threads }: Chat) => {
  const { threadIds, mainThreadId } = threads.getState();
  return threadIds.map((id) => {
    const { title = "new", ...item } = threads.getItemById(id).getState();
    const { state } = ("custom" in item && item.custom ? item.custom : {}) as { state?: string };
    return [id === mainThreadId && ">", title, state].filter(Boolean).join(" ");
  });
};

/** Two threads with a live run each, of which the second one is shown. */
async function two(options: CrewRuntimeOptions = {}) {
  const all = setUp(options);
  const page = await all.open();
  page.send("one");
  await reads(page, "> one", "A (running)");
  await act(() => page.threads.switchToNewThread());
  await reads(page);
  page.send("two");
  await reads(page, "> two", "A (running)");
  const [first = "", second = ""] = all.server.threads.keys();
  return { ...all, page, first, second };
}

describe("threads", () => {
  test("two are live at once, and the one in the background goes on", async () => {
    const { server, page, first, second } = await two();
    expect(page.threads.getState().mainThreadId).toBe(second);
    server.grow();
    await act(() => page.threads.switchToThread(first));
    await reads(page, "> one", "Up and up (complete)");
    await act(() => page.threads.switchToThread(second));
    await reads(page, "> two", "A (running)");
    server.grow(Infinity, "r_02");
    await reads(page, "> two", "Up and up (complete)");
    expect(server.effects.map(({ cmd }) => cmd)).toEqual(["start", "start"]);
  });

  test("a reload shows the thread that was shown", async () => {
    const { open, page, second } = await two();
    const told = page.told();
    await leave();
    const next = await open();
    await reads(next, ...told);
    expect(next.threads.getState()).toMatchObject({ mainThreadId: second });
  });

  test("they are listed as the sidecar has them, and what is shown is among them", async () => {
    const { server, page, first } = await two();
    server.threads.get(first)!.title = "The first";
    await act(() => page.threads.switchToNewThread());
    await reads(page);
    server.grow();
    await until(() =>
      expect(list(page).map((item) => item.replace(/ (running|completed)$/, ""))).toEqual([
        "> new",
        "Thread",
        "The first",
      ]),
    );
  });

  test("what another page begins, renames and deletes is told when this one is in sight", async () => {
    const { server, page, first, second } = await two();
    const inSight = () => act(async () => document.dispatchEvent(new Event("visibilitychange")));
    server.threads.get(first)!.title = "Renamed";
    server.threads.set("t_other", { title: "Begun elsewhere", runs: [{ run: "r_03", after: null, inputs: {} }] });
    await inSight();
    await until(() => expect(list(page).join()).toContain("Begun elsewhere"));
    expect(list(page).join()).toContain("Renamed");
    expect(page.threads.getState().mainThreadId).toBe(second);
    server.threads.delete("t_other");
    await inSight();
    await until(() => expect(list(page).join()).not.toContain("Begun elsewhere"));
  });

  test("the list is as long as the app wants it, over as many pages as that takes", async () => {
    const { client } = setUp();
    const all = Array.from({ length: 1_200 }, (_, n) => ({
      thread: `t_${n}`,
      title: `${n}`,
      created: 0,
      updated: 10_000 - n,
      runs: 1,
      state: "completed" as const,
    }));
    const asked: unknown[] = [];
    const paged: CrewClient = {
      ...client,
      async threads({ limit = 50, before } = {}) {
        asked.push([limit, before]);
        const at = before ? all.findIndex(({ thread }) => thread === before) + 1 : 0;
        const threads = all.slice(at, at + limit);
        return { threads, next: at + limit < all.length ? threads.at(-1)!.thread : null };
      },
    };
    let more = (_: number) => {};
    const page = await chatWith(() => {
      const [listed, set] = useState(2);
      more = set;
      return useCrewRuntime(paged, { listed });
    });
    const ids = () => page.threads.getState().threadIds;
    await until(() => expect(ids()).toHaveLength(3));
    asked.length = 0;
    await act(async () => more(1_100));
    await until(() => expect(ids()).toHaveLength(1_101));
    expect(asked).toEqual([
      [1_000, undefined],
      [100, "t_999"],
    ]);
    // A look at the newest ones leaves those behind them where they are.
    all[0] = { ...all[0]!, title: "Another" };
    await act(async () => document.dispatchEvent(new Event("visibilitychange")));
    await until(() => expect(page.threads.getItemById("t_0").getState().title).toBe("Another"));
    expect(ids()).toHaveLength(1_101);
  });

  test("can be renamed and deleted; after the one that is shown comes a new one", async () => {
    const { server, page, first, second } = await two();
    server.grow();
    server.grow(Infinity, "r_02");
    await reads(page, "> two", "Up and up (complete)");
    await act(() => page.threads.getItemById(first).rename("Coffee"));
    await until(() => expect(page.threads.getItemById(first).getState().title).toBe("Coffee"));
    expect(server.threads.get(first)?.title).toBe("Coffee");
    await act(() => page.threads.getItemById(second).delete());
    await reads(page);
    await until(() => expect(page.threads.getState().threadIds).toHaveLength(2));
    expect(page.threads.getState().threadIds).toContain(first);
    expect([...server.threads.keys()]).toEqual([first]);
  });

  test("one that has no message yet can be deleted too: it is just left", async () => {
    const onError = vi.fn<NonNullable<CrewRuntimeOptions["onError"]>>();
    const { page, first } = await two({ onError });
    await act(() => page.threads.switchToNewThread());
    const { mainThreadId } = page.threads.getState();
    await act(() => page.threads.getItemById(mainThreadId).delete());
    await act(() => page.threads.switchToThread(first));
    await reads(page, "> one", "A (running)");
    expect(onError).not.toHaveBeenCalled();
  });

  test("one that is live is stopped before it is deleted", async () => {
    const { server, page, first } = await two();
    const deleting = act(() => page.threads.getItemById(first).delete());
    await until(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "cancel", run: server.run }));
    expect(server.threads.has(first)).toBe(true);
    server.grow();
    await deleting;
    await until(() => expect(server.threads.has(first)).toBe(false));
  });

  test("tell the ends of both runs once each, under StrictMode and after a reload", async () => {
    const onFinish = vi.fn<NonNullable<CrewRuntimeOptions["onFinish"]>>();
    const { server, open } = await two({ onFinish });
    server.grow();
    server.grow(Infinity, "r_02");
    const ended = () => onFinish.mock.calls.map(([{ run }, { restored }]) => `${run} ${restored}`).sort();
    await until(() => expect(ended()).toEqual(["r_01jd false", "r_02 false"]));
    await leave();
    const page = await open();
    await reads(page, "> two", "Up and up (complete)");
    expect(ended()).toHaveLength(2);
  });
});

describe("threadId", () => {
  /** An app that keeps the thread in its address. */
  async function app(start?: string) {
    const { server, client } = setUp();
    const asked: (string | undefined)[] = [];
    let go: (thread: string | undefined) => void = () => {};
    const page = await chatWith(() => {
      const [threadId, set] = useState(start);
      go = set;
      const onThreadIdChange = (thread: string | undefined) => {
        asked.push(thread);
        set(thread);
      };
      return useCrewRuntime(client, { threadId, onThreadIdChange });
    });
    return { server, page, asked, go: (thread: string | undefined) => act(async () => go(thread)) };
  }

  test("the app is told the id of a thread as it begins, and may lead to any", async () => {
    const { server, page, asked, go } = await app();
    page.send("one");
    await reads(page, "> one", "A (running)");
    const [first] = server.threads.keys();
    expect(asked).toEqual([first]);
    await go(undefined);
    await reads(page);
    page.send("two");
    await reads(page, "> two", "A (running)");
    await go(first);
    await reads(page, "> one", "A (running)");
    await act(() => page.threads.switchToNewThread());
    await reads(page);
    expect(asked).toEqual([first, [...server.threads.keys()][1], undefined]);
  });

  test("one that is deleted while it is shown is not asked for again", async () => {
    const { server, page, asked } = await app();
    page.send("one");
    await reads(page, "> one", "A (running)");
    const [first = ""] = server.threads.keys();
    server.grow();
    await reads(page, "> one", "Up and up (complete)");
    const missed = vi.spyOn(Response, "json");
    await act(() => page.threads.getItemById(first).delete());
    await reads(page);
    expect(asked).toEqual([first, undefined]);
    await until(() => expect(page.threads.getState().threadIds).not.toContain(first));
    expect(missed.mock.calls.filter(([body]) => "error" in (body as object))).toEqual([]);
  });

  test("one that the sidecar does not know (yet) is empty", async () => {
    const { server, page } = await app("mine");
    await until(() => expect(page.thread.getState()).toMatchObject({ messages: [] }));
    page.send("one");
    await reads(page, "> one", "A (running)");
    expect([...server.threads.keys()]).toEqual(["mine"]);
  });
});

test("a server renders what every thread begins with, and the page that hydrates it goes on to what the tab remembers", async () => {
  const { server, client, open } = setUp();
  const page = await open();
  page.send("one");
  await reads(page, "> one", "A (running)");
  await leave();
  const Text = () =>
    useAuiState(({ thread }) =>
      thread.messages.map(({ content: [part] }) => part && "text" in part && part.text).join(),
    );
  function App() {
    const runtime = useCrewRuntime(client, { initialMessages: [{ role: "assistant", content: "Welcome" }] });
    return (
      <AssistantRuntimeProvider runtime={runtime}>
        <p>
          <Text />
        </p>
      </AssistantRuntimeProvider>
    );
  }
  const place = document.createElement("div");
  place.innerHTML = renderToString(<App />);
  expect(place.textContent).toBe("Welcome");
  const errors: unknown[] = [];
  const root = await act(async () =>
    hydrateRoot(place, <App />, { onRecoverableError: (error) => errors.push(error) }),
  );
  await until(() => expect(place.textContent).toContain("Welcome,one"));
  expect(errors).toEqual([]);
  await act(async () => root.unmount());
  expect(server.effects).toHaveLength(1);
});

test("useLiveRun gives the newest run of the thread that is shown", async () => {
  const { server, client } = setUp();
  let view: RunView | null | undefined;
  let send = (_: string) => {};
  function Progress() {
    view = useLiveRun();
    return null;
  }
  function App() {
    const runtime = useCrewRuntime(client);
    send = (text) => runtime.thread.append(text);
    return (
      <AssistantRuntimeProvider runtime={runtime}>
        <Progress />
      </AssistantRuntimeProvider>
    );
  }
  await show(<App />);
  expect(view).toBeNull();
  act(() => send("one"));
  await until(() => expect(view).toMatchObject({ run: server.run, state: "running" }));
  server.grow();
  await until(() => expect(view).toMatchObject({ state: "completed" }));
});
