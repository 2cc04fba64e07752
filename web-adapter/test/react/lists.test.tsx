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
    expect(asked()).toEqual(["/runs?state=running&limit=3"]);
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
    expect(asked()).toEqual(["/runs?limit=50", "/runs?limit=3"]);
    expect(other.asked()).toEqual(["/runs?limit=50"]);
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
