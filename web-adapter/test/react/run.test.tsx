// @vitest-environment jsdom
import { act, useState } from "react";
import { describe, expect, test, vi } from "vitest";
import { emptyRun, reduce, type CrewClient, type RunEvent, type RunSnapshot, type RunView } from "../../src/index.ts";
import { useCrewRun, type CrewRun } from "../../src/react/index.ts";
import { fakeServer, logOf } from "../fakeServer.ts";
import { eventsOf, snapshotOf } from "../vectors.ts";
import { clientOf, leave, show, until } from "./mount.tsx";

const LOG = eventsOf("completed");

/** A component that follows a run; `seen` has each of its renders. */
async function follow(client: CrewClient, run: string | null, initial?: RunView | RunSnapshot) {
  const seen: CrewRun[] = [];
  let turnTo: (other: string | null) => Promise<void> = async () => {};
  function Run() {
    const [of, set] = useState(run);
    turnTo = (other) => act(async () => set(other));
    seen.push(useCrewRun(client, of, initial));
    return null;
  }
  await show(<Run />);
  return { seen, last: () => seen.at(-1)!, turnTo: (other: string | null) => turnTo(other) };
}

function setUp(log: readonly RunEvent[] = LOG, ...later: readonly (readonly RunEvent[])[]) {
  const server = fakeServer(log, ...later);
  return { server, client: clientOf(server) };
}

describe("useCrewRun", () => {
  test("is idle without a run, and opens nothing", async () => {
    const { server, client } = setUp();
    const { last } = await follow(client, null);
    expect(last()).toEqual({ state: "idle" });
    expect(server.requests).toEqual([]);
  });

  test("is loading until something was heard: a finished run is never shown as one that waits", async () => {
    const { server, client } = setUp();
    const { seen, last } = await follow(client, server.run);
    await until(() => expect(last().state).toBe("completed"));
    expect([...new Set(seen.map(({ state }) => state))]).toEqual(["loading", "completed"]);
  });

  test("tells a run to its end, with few renders", async () => {
    const { server, client } = setUp();
    const { seen, last } = await follow(client, server.run);
    await until(() =>
      expect(last()).toMatchObject({ state: "completed", output: "Up and up", transport: "ws", question: null }),
    );
    // Twice the usual, for StrictMode.
    expect(seen.length).toBeLessThan(20);
  });

  test("has one connection although StrictMode mounts twice, and none when it is gone", async () => {
    const { server, client } = setUp();
    server.hold(4);
    const { last } = await follow(client, server.run);
    await until(() => expect(last()).toMatchObject({ state: "running", seq: 4 }));
    expect(server.lines.size).toBe(1);
    expect(server.sockets.size).toBe(1);
    await leave();
    await vi.waitFor(() => expect(server.sockets.size).toBe(0));
    expect(client.status.state).toBe("idle");
    expect(server.effects).toEqual([]);
  });

  test("turns to another run at once: nothing of the first is shown as the second's", async () => {
    const { server, client } = setUp(LOG, logOf("r_02", eventsOf("waiting for an answer")));
    const { last, turnTo, seen } = await follow(client, server.run);
    await until(() => expect(last().state).toBe("completed"));
    const before = seen.length;
    await turnTo("r_02");
    await until(() => expect(last()).toMatchObject({ state: "waiting", run: "r_02" }));
    expect(seen.slice(before).map(({ state }) => state)).not.toContain("completed");
    expect(seen[before]).toMatchObject({ state: "loading", question: null });
    await turnTo(null);
    expect(last()).toEqual({ state: "idle" });
  });

  test("has the open question at hand, and none once it is closed", async () => {
    const { server, client } = setUp(eventsOf("waiting for an answer"));
    const { last } = await follow(client, server.run);
    await until(() => expect(last()).toMatchObject({ state: "waiting", question: { state: "open" } }));
    const run = last();
    if (run.state !== "waiting") throw new Error("it should be waiting");
    expect(run.question?.id).toBe(run.input.input);
    expect(run.question?.prompt).toBe(run.input.prompt);
  });

  test("says for good that a run is unknown, and asks no more", async () => {
    const { server, client } = setUp();
    const { last } = await follow(client, "r_nobody");
    await until(() =>
      expect(last()).toMatchObject({ state: "refused", error: { code: "unknown_run", message: "no such run" } }),
    );
    const asked = server.requests.length;
    server.stir();
    await act(() => new Promise((resolve) => setTimeout(resolve, 50)));
    expect(server.requests).toHaveLength(asked);
  });

  test("says that it is reconnecting, and what troubles the sidecar", async () => {
    const { server, client } = setUp();
    server.hold(4);
    const { last } = await follow(client, server.run);
    await until(() => expect(last()).toMatchObject({ connection: "open", trouble: null }));
    server.weather.trouble = "disk full";
    server.ping();
    await until(() => expect(last()).toMatchObject({ trouble: "disk full" }));
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    for (const line of server.lines) line.broken = true;
    server.stir();
    await until(() => expect(last()).toMatchObject({ connection: "reconnecting", state: "running" }));
  });

  test("measures by the sidecar's clock how late an event is, of live ones only", async () => {
    const now = Date.now();
    // The sidecar's clock is an hour ahead, and the fifth event was 250 ms on its way.
    const ahead = 3_600_000;
    const log = LOG.map((event) => ({ ...event, ts: event.seq === 5 ? now + ahead - 250 : now }));
    const { server, client } = setUp(log);
    vi.spyOn(Date, "now").mockReturnValue(now);
    server.weather.clock = now + ahead;
    server.hold(4);
    const { last } = await follow(client, server.run);
    await until(() => expect(last()).toMatchObject({ seq: 4, latency: null }));
    server.grow(5);
    await until(() => expect(last()).toMatchObject({ seq: 5, latency: 250 }));
  });

  describe("with what is known already", () => {
    const MIDDLE = eventsOf("running in the middle of a reply, after two tool calls");
    const whole = MIDDLE.reduce(reduce, emptyRun);
    const snapshot = snapshotOf("running in the middle of a reply, after two tool calls");

    test("shows a snapshot at once, and nothing older than it until the log has caught up", async () => {
      const { server, client } = setUp(MIDDLE);
      server.weather.breakAfter = 3;
      const { seen, last } = await follow(client, server.run, snapshot);
      expect(last()).toMatchObject({ state: "running", id: null, inputs: snapshot.inputs });
      await until(() => expect(last()).toMatchObject({ id: whole.id, tasks: whole.tasks }));
      const told = seen.flatMap((run) => ("seq" in run ? run.seq : []));
      expect(new Set(told)).toEqual(new Set([0, whole.seq]));
    });

    test("shows a run's end although it was never said to be live", async () => {
      const { server, client } = setUp();
      const { seen, last } = await follow(client, server.run, snapshotOf("completed"));
      await until(() => expect(last()).toMatchObject({ state: "completed", seq: LOG.at(-1)!.seq }));
      expect(new Set(seen.map(({ state }) => state))).toEqual(new Set(["completed"]));
    });

    test("goes on from a view behind its cursor", async () => {
      const { server, client } = setUp();
      const { last } = await follow(client, server.run, LOG.slice(0, 6).reduce(reduce, emptyRun));
      await until(() => expect(last()).toEqual(expect.objectContaining({ state: "completed", output: "Up and up" })));
      expect(new Set(server.requests.map(({ after }) => after))).toEqual(new Set([LOG[5]!.id]));
    });

    test("does not take it for another run", async () => {
      const { client } = setUp();
      const { seen } = await follow(client, "r_nobody", snapshot);
      expect(seen[0]).toMatchObject({ state: "loading" });
    });
  });

  test("takes nothing of a run that it has turned away from, however late that comes", async () => {
    const { server, client } = setUp();
    let late = () => {};
    const slow = async function* () {
      yield* LOG.slice(0, 4);
      yield { type: "stream.live", run: server.run, seq: 4 } as const;
      await new Promise<void>((resolve) => (late = resolve));
      yield LOG[4]!;
    };
    const { seen, last, turnTo } = await follow({ ...client, follow: slow }, server.run);
    await until(() => expect(last()).toMatchObject({ seq: 4 }));
    await turnTo(null);
    await act(async () => late());
    await act(() => new Promise((resolve) => setTimeout(resolve, 50)));
    const before = seen.length;
    await turnTo(server.run);
    expect(seen[before]).toMatchObject({ seq: 4 });
  });
});
