// @vitest-environment jsdom
import { act, Fragment, useState, type ReactNode } from "react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { CrewClient, RunSnapshot } from "../../src/index.ts";
import { useCrewRuns, useCrews, useThreads } from "../../src/react/index.ts";
import { fakeServer } from "../fakeServer.ts";
import { eventsOf, snapshotOf } from "../vectors.ts";
import { clientOf, leave, show } from "./mount.tsx";

const page = { hidden: false };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  page.hidden = false;
  vi.spyOn(document, "hidden", "get").mockImplementation(() => page.hidden);
});
afterEach(async () => {
  await leave();
  vi.useRealTimers();
});

const RUN = snapshotOf("completed");
const THREAD = { thread: "t_1", title: "Tea", created: 1, updated: 2, runs: 1, state: "completed" };

/** A sidecar whose lists are what `kept` says; `asked` has the addresses since the last look. */
function setUp() {
  const server = fakeServer(eventsOf("completed"));
  const kept = { runs: [RUN] as readonly RunSnapshot[], threads: [THREAD], next: null, crews: [{ name: "default" }] };
  const asked: string[] = [];
  const weather = { down: false };
  let held: Promise<void> | undefined;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { pathname, search } = new URL(input as string);
    if (!/^\/(runs|threads|crews)$/.test(pathname)) return server.options.fetch(input, init);
    asked.push(pathname + search);
    await held;
    if (weather.down) throw new TypeError("fetch failed");
    return Response.json(kept);
  };
  return {
    server,
    kept,
    weather,
    client: clientOf(server, { fetch }),
    asked: () => asked.splice(0),
    /** No answer comes before the function that this gives is called. */
    hold() {
      let go = () => {};
      held = new Promise((resolve) => (go = resolve));
      return go;
    },
  };
}

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const seen = (hidden: boolean) =>
  act(async () => {
    page.hidden = hidden;
    document.dispatchEvent(new Event("visibilitychange"));
    await vi.advanceTimersByTimeAsync(0);
  });

/** Says what a hook gives, and keeps it. */
function hookOf(use: () => object): { node: ReactNode; last: () => Record<string, unknown>; renders: () => number } {
  const given: object[] = [];
  function Page() {
    given.push(use());
    return null;
  }
  return { node: <Page />, last: () => given.at(-1) as Record<string, unknown>, renders: () => given.length };
}
const runsOf = (client: CrewClient, query = {}) => hookOf(() => useCrewRuns(client, query));

describe("useCrewRuns", () => {
  test("is loading, then has the runs, and looks again every 5 s", async () => {
    const { client, asked, kept } = setUp();
    const { node, last } = runsOf(client, { state: "running", limit: 3 });
    await show(node);
    expect(last()).toMatchObject({ runs: [], loading: true, error: null });
    await pass(0);
    expect(last()).toMatchObject({ runs: [{ run: "r_01jd", output: "Up and up" }], loading: false, error: null });
    expect(asked()).toEqual(["/runs?state=running&limit=3&brief=true"]);
    kept.runs = [];
    await pass(4_999);
    expect(asked()).toEqual([]);
    await pass(1);
    expect(last()).toMatchObject({ runs: [] });
    expect(asked()).toHaveLength(1);
  });

  test("asks once for all that want the same of one client, and for each that wants something else", async () => {
    const { client, asked } = setUp();
    const other = setUp();
    await show(
      <>
        {[client, client, other.client].map((of, n) => (
          <Fragment key={n}>{runsOf(of).node}</Fragment>
        ))}
        {runsOf(client, { limit: 3 }).node}
      </>,
    );
    await pass(0);
    expect(asked()).toEqual(["/runs?limit=50&brief=true", "/runs?limit=3&brief=true"]);
    expect(other.asked()).toEqual(["/runs?limit=50&brief=true"]);
    await pass(5_000);
    expect([asked().length, other.asked().length]).toEqual([2, 1]);
  });

  test("does not show anew what has not changed", async () => {
    const { client, kept } = setUp();
    const { node, last, renders } = runsOf(client);
    await show(node);
    await pass(0);
    const [{ runs }, before] = [last(), renders()];
    await pass(20_000);
    expect(renders()).toBe(before);
    kept.runs = [{ ...RUN, state: "failed" }];
    await pass(5_000);
    expect(last()["runs"]).not.toBe(runs);
  });

  test("rests while the page is hidden, and looks at once when it is seen again", async () => {
    const { client, asked } = setUp();
    await show(runsOf(client).node);
    await pass(0);
    asked();
    await seen(true);
    await pass(60_000);
    expect(asked()).toEqual([]);
    await seen(false);
    expect(asked()).toHaveLength(1);
    await pass(5_000);
    expect(asked()).toHaveLength(1);
  });

  test("rests when nobody looks any more, and has what it knew for who comes back", async () => {
    const { client, asked } = setUp();
    const subscribe = vi.spyOn(client, "subscribe");
    const [hears, forgets] = [vi.spyOn(document, "addEventListener"), vi.spyOn(document, "removeEventListener")];
    const listening = ({ mock }: typeof hears | typeof forgets) =>
      mock.calls.flatMap(([type, listener]) => (type === "visibilitychange" ? [listener] : []));
    await show(runsOf(client).node);
    await pass(0);
    asked();
    const ends = subscribe.mock.results.map(({ value }) => value as () => boolean);
    await leave();
    expect(listening(hears)).toEqual(listening(forgets));
    // Ended already, each of them.
    expect(ends.map((end) => end())).toEqual(ends.map(() => false));
    await pass(60_000);
    expect(asked()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    const { node, last } = runsOf(client);
    await show(node);
    expect(last()).toMatchObject({ runs: [{ run: "r_01jd" }], loading: false });
    await pass(0);
    expect(asked()).toHaveLength(1);
  });

  test("does not ask at once for who comes back soon", async () => {
    const { client, asked } = setUp();
    await show(runsOf(client).node);
    await pass(0);
    await leave();
    asked();
    await pass(1_000);
    await show(runsOf(client).node);
    await pass(3_999);
    expect(asked()).toEqual([]);
    await pass(1);
    expect(asked()).toHaveLength(1);
  });

  test("keeps the list when a look fails, says why, and goes on looking", async () => {
    const { client, weather } = setUp();
    const { node, last } = runsOf(client);
    await show(node);
    await pass(0);
    weather.down = true;
    await pass(5_000);
    expect(last()).toMatchObject({ runs: [{ run: "r_01jd" }], loading: false, error: { code: "unreachable" } });
    weather.down = false;
    await pass(5_000);
    expect(last()).toMatchObject({ runs: [{ run: "r_01jd" }], error: null });
  });

  test("says that the first look failed instead of loading for ever", async () => {
    const { client, weather } = setUp();
    weather.down = true;
    const { node, last } = runsOf(client);
    await show(node);
    await pass(0);
    expect(last()).toMatchObject({ runs: [], loading: false, error: { code: "unreachable" } });
  });

  test("looks after a command of this client was acked, once for several", async () => {
    const { client, asked } = setUp();
    await show(runsOf(client).node);
    await pass(0);
    asked();
    await act(async () => {
      await Promise.all([client.start({ message: "Tea" }), client.start({ message: "Coffee" })]);
    });
    await pass(100);
    expect(asked()).toHaveLength(1);
  });

  test("looks after a run that this client follows has ended", async () => {
    const { client, server, asked } = setUp();
    server.hold(4);
    const following = (async () => {
      for await (const _ of client.follow(server.run));
    })();
    await show(runsOf(client).node);
    await pass(1_000);
    asked();
    server.grow();
    await following;
    await pass(100);
    expect(asked()).toHaveLength(1);
  });

  test("looks again by hand, after the look that is under way, whose answer may be older", async () => {
    const { client, asked, hold } = setUp();
    const go = hold();
    const { node, last } = runsOf(client);
    await show(node);
    await pass(0);
    const refresh = last()["refresh"] as () => void;
    refresh();
    refresh();
    expect(asked()).toHaveLength(1);
    go();
    await pass(0);
    expect(asked()).toHaveLength(1);
    expect(last()["refresh"]).toBe(refresh);
  });

  test("keeps no more than so many answers that nobody looks at", async () => {
    const { client, asked } = setUp();
    let turnTo = (_: number) => {};
    const { node } = hookOf(() => {
      const [limit, set] = useState(1);
      turnTo = set;
      return useCrewRuns(client, { limit });
    });
    await show(node);
    for (let limit = 1; limit <= 30; limit++) {
      await act(async () => turnTo(limit));
      await pass(0);
    }
    asked();
    for (const [limit, known] of [
      [30, true],
      [25, true],
      [1, false],
    ] as const) {
      const { node: again, last } = runsOf(client, { limit });
      await show(again);
      expect([limit, last()["loading"]]).toEqual([limit, !known]);
    }
  });
});

/** Runs of which the higher number is the newer one. */
const numbered = (...numbers: number[]): readonly RunSnapshot[] =>
  numbers.map((n) => ({ ...RUN, run: `r_${n}`, created: n }));

/** `useCrewRuns`, two runs a page, at a sidecar that keeps what `kept` says. */
function paged(...numbers: number[]) {
  const server = fakeServer(eventsOf("completed"));
  const kept = { numbers };
  const weather = { down: false };
  const asked: string[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { pathname, searchParams } = new URL(input as string);
    if (!pathname.startsWith("/runs")) return server.options.fetch(input, init);
    asked.push(`${init?.method} ${pathname} ${searchParams.get("before") ?? ""}`);
    if (weather.down) throw new TypeError("fetch failed");
    if (init?.method === "DELETE") {
      kept.numbers = kept.numbers.filter((n) => pathname !== `/runs/r_${n}`);
      return new Response(null, { status: 204 });
    }
    const before = Number(searchParams.get("before")?.slice(2) ?? Infinity);
    const behind = kept.numbers.filter((n) => n < before);
    const counts = { completed: kept.numbers.length };
    return Response.json({
      runs: numbered(...behind.slice(0, 2)),
      next: behind.length > 2 ? `r_${behind[1]}` : null,
      ...(searchParams.has("counts") && { counts }),
    });
  };
  const client = clientOf(server, { fetch });
  const { node, last } = hookOf(() => useCrewRuns(client, { limit: 2, counts: true }));
  const hook = () => last() as unknown as ReturnType<typeof useCrewRuns>;
  return {
    node,
    kept,
    weather,
    hook,
    asked: () => asked.splice(0),
    runs: () => hook().runs.map(({ created }) => created),
    more: () => act(async () => hook().more()),
    remove: (n: number) => act(() => hook().remove(`r_${n}`)),
  };
}

describe("pages of useCrewRuns", () => {
  test("come one behind the other, up to the oldest", async () => {
    const { node, hook, runs, more, asked } = paged(5, 4, 3, 2, 1);
    await show(node);
    expect(hook()).toMatchObject({ hasMore: false, loading: true });
    await pass(0);
    expect([runs(), hook().hasMore, hook().counts]).toEqual([[5, 4], true, { completed: 5 }]);
    await more();
    expect([runs(), hook().hasMore]).toEqual([[5, 4, 3, 2], true]);
    await more();
    expect([runs(), hook().hasMore]).toEqual([[5, 4, 3, 2, 1], false]);
    asked();
    await more();
    expect(asked()).toEqual([]);
  });

  test("stay while the first one moves, of which alone there is a look each 5 s", async () => {
    const { node, hook, runs, more, kept, asked } = paged(5, 4, 3, 2, 1);
    await show(node);
    await pass(0);
    await more();
    asked();
    kept.numbers = [7, 6, 5, 4, 3, 2, 1];
    await pass(5_000);
    // The newest two are not next to what was known: there may be others in between.
    expect([runs(), hook().hasMore]).toEqual([[7, 6], true]);
    await more();
    kept.numbers = [8, 7, 6, 5, 4, 3, 2, 1];
    await pass(5_000);
    expect(runs()).toEqual([8, 7, 6, 5, 4]);
    expect(asked()).toEqual(["GET /runs ", "GET /runs r_6", "GET /runs "]);
    await more();
    expect([runs(), hook().hasMore]).toEqual([[8, 7, 6, 5, 4, 3, 2], true]);
  });

  test("lose what was deleted, here or elsewhere", async () => {
    const { node, runs, more, remove, kept, asked } = paged(6, 5, 4, 3, 2, 1);
    await show(node);
    await pass(0);
    await more();
    asked();
    await remove(3);
    expect(runs()).toEqual([6, 5, 4]);
    expect(asked()).toEqual(["DELETE /runs/r_3 ", "GET /runs "]);
    kept.numbers = [6, 4, 2, 1];
    await pass(5_000);
    expect(runs()).toEqual([6, 4]);
    await more();
    expect(runs()).toEqual([6, 4, 2, 1]);
  });

  test("are asked for once at a time, and once more after a failure", async () => {
    const { node, hook, runs, more, asked, weather } = paged(5, 4, 3, 2, 1);
    await show(node);
    await pass(0);
    asked();
    weather.down = true;
    await act(async () => {
      hook().more();
      hook().more();
    });
    expect(asked()).toEqual(["GET /runs r_4"]);
    expect(hook()).toMatchObject({ loadingMore: false, hasMore: true, moreError: { code: "unreachable" } });
    weather.down = false;
    await more();
    expect([runs(), hook().moreError]).toEqual([[5, 4, 3, 2], null]);
  });

  test("are not asked for where none are wanted", async () => {
    const { client, asked } = setUp();
    const { node, last } = hookOf(() => useCrewRuns(client, null));
    await show(node);
    await pass(10_000);
    expect(asked()).toEqual([]);
    expect(last()).toMatchObject({ runs: [], loading: false, error: null, hasMore: false });
  });
});

test("useThreads has the conversations, and looks again as they may move", async () => {
  const { client, asked } = setUp();
  const { node, last } = hookOf(() => useThreads(client));
  await show(node);
  expect(last()).toMatchObject({ threads: [], loading: true });
  await pass(0);
  expect(last()).toMatchObject({ threads: [THREAD], loading: false });
  await pass(5_000);
  expect(asked()).toEqual(["/threads?limit=50", "/threads?limit=50"]);
});

test("useCrews asks once, and again when it failed, when the connection comes, and when the page is seen", async () => {
  const { client, server, asked, weather } = setUp();
  weather.down = true;
  const { node, last } = hookOf(() => useCrews(client));
  await show(node);
  await pass(0);
  expect(last()).toMatchObject({ crews: [], error: { code: "unreachable" } });
  weather.down = false;
  await pass(5_000);
  expect(last()).toMatchObject({ crews: [{ name: "default" }], error: null, loading: false });
  asked();
  await pass(60_000);
  await act(async () => void (await client.start({ message: "Tea" })));
  await pass(1_000);
  expect(asked()).toEqual([]);
  server.hold(4);
  const frames = client.follow(server.run);
  await frames.next();
  await pass(100);
  expect(asked()).toEqual(["/crews"]);
  await seen(true);
  await seen(false);
  expect(asked()).toHaveLength(1);
  await frames.return();
});
