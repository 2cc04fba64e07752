import { describe, expect, test } from "vitest";
import { createCrewClient, type CrewClientOptions } from "../src/index.ts";
import { fakeServer, logOf } from "./fakeServer.ts";
import { numbers } from "./numbers.ts";
import { LOG, ONCE, pass, SECOND } from "./page.ts";

const RUNS = ["r_a", "r_b", "r_c"];
const A = RUNS[0]!;

/** Followers of several runs of one client, each told its first four events; what is asked for, as `via run seq`. */
async function begin(options: Partial<CrewClientOptions> = {}, runs: readonly string[] = RUNS) {
  const [first = [], ...others] = RUNS.map((run) => logOf(run, LOG));
  const server = fakeServer(first, ...others);
  for (const run of RUNS) server.hold(4, run);
  const client = createCrewClient({ ...server.options, random: () => 0, ...options });
  const pings = setInterval(server.ping, 10 * SECOND);
  const follow = (run: string, after?: string) => {
    const controller = new AbortController();
    const told: number[] = [];
    const following = (async () => {
      const frames = client.follow(run, { signal: controller.signal, ...(after && { after }) });
      for await (const frame of frames) if ("data" in frame) told.push(frame.seq);
    })();
    // Awaited where it matters.
    following.catch(() => {});
    return { told, following, leave: () => controller.abort() };
  };
  const followers = new Map(runs.map((run) => [run, follow(run)]));
  await pass(0);
  return {
    server,
    client,
    follow,
    followers,
    of: (run: string) => followers.get(run)!,
    asked: () =>
      server.requests
        .splice(0)
        .map(({ via, run, after }) => [via, run, after?.split("-")[1]].filter(Boolean).join(" ")),
    async end() {
      for (const run of RUNS) server.grow(Infinity, run);
      await pass(30);
      await Promise.all([...followers.values()].map(({ following }) => following));
      for (const { told } of followers.values()) expect(told).toEqual(ONCE);
      expect(server.sockets.size + server.lines.size).toBe(0);
      clearInterval(pings);
    },
  };
}

describe("one socket", () => {
  test("carries all runs of a client: the first in its address, the others as they come", async () => {
    const { server, client, follow, asked, followers, end } = await begin();
    expect(asked()).toEqual(["ws r_a", "subscribe r_b", "subscribe r_c"]);
    expect(server.sockets.size).toBe(1);
    for (const { told } of followers.values()) expect(told).toEqual(ONCE.slice(0, 4));
    server.grow(6, "r_b");
    await pass(0);
    expect([...followers.values()].map(({ told }) => told.length)).toEqual([4, 6, 4]);
    expect(client.status).toMatchObject({ state: "open", transport: "ws" });
    await end();
    const again = follow("r_b", LOG[4]!.id.replace("k3f9", "r_b"));
    await again.following;
    expect(again.told).toEqual(ONCE.slice(5));
  });

  test("is told when one is left, and closes with the last", async () => {
    const { server, of, asked } = await begin();
    asked();
    of("r_a").leave();
    await expect(of("r_a").following).rejects.toThrow("aborted");
    expect(asked()).toEqual(["unsubscribe r_a"]);
    await pass(0);
    expect(server.lines.size).toBe(2);
    server.grow(Infinity, "r_b");
    await of("r_b").following;
    expect(asked()).toEqual(["unsubscribe r_b"]);
    expect(server.sockets.size).toBe(1);
    server.grow(Infinity, "r_c");
    await of("r_c").following;
    expect(server.sockets.size).toBe(0);
    expect(asked()).toEqual([]);
  });

  test("is asked for one ticket", async () => {
    let tickets = 0;
    const { end } = await begin({ getTicket: async () => `t${tickets++}` });
    expect(tickets).toBe(1);
    await end();
  });

  test("that breaks is opened once more for all, each at its cursor", async () => {
    const { server, client, asked, end } = await begin({ random: () => 0.5 });
    server.grow(6, "r_b");
    await pass(0);
    asked();
    for (const socket of server.sockets) socket.drop(1006);
    await pass(0);
    expect(client.status.state).toBe("reconnecting");
    await pass(1);
    expect(asked()).toEqual(["ws r_a 4", "subscribe r_b 6", "subscribe r_c 4"]);
    expect(server.sockets.size).toBe(1);
    await end();
  });

  test("that is closed for good ends all of its followers with the reason", async () => {
    const { server, followers } = await begin();
    for (const socket of server.sockets) socket.drop(4503);
    for (const { following } of followers.values())
      await expect(following).rejects.toMatchObject({ code: "closed", temporary: false });
  });

  test("that falls silent is left for a fresh one beside it, by all of its runs at their cursors", async () => {
    const { server, client, asked, end } = await begin();
    server.grow(6, "r_b");
    await pass(10);
    asked();
    const [silent] = server.sockets;
    for (const line of server.lines) line.mute = true;
    server.weather.ws = "hang";
    for (const run of RUNS) server.grow(9, run);
    await pass(12.1);
    expect(asked()).toEqual(["ws r_a 4"]);
    expect([...server.sockets][0]).toBe(silent);
    expect(client.status.state).toBe("open");
    server.weather.ws = "ok";
    server.stir();
    await pass(0);
    expect(asked().sort()).toEqual(["subscribe r_b 6", "subscribe r_c 4", "unsubscribe r_a", "unsubscribe r_c"]);
    expect(server.sockets.size).toBe(1);
    expect(server.sockets.has(silent!)).toBe(false);
    await end();
  });

  test("that has long been silent is not joined by a run that comes new", async () => {
    const { server, follow, asked, followers, end } = await begin({}, ["r_a"]);
    for (const line of server.lines) line.mute = true;
    server.weather.http = "hang";
    await pass(12.5);
    asked();
    followers.set("r_b", follow("r_b"));
    await pass(0);
    expect(asked()).toEqual(["ws r_b"]);
    server.weather.http = "ok";
    await end();
  });

  test("has each run once: a second follower of it gets another, and both hear all", async () => {
    const { server, follow, asked, end } = await begin();
    asked();
    const second = follow("r_a");
    await pass(0);
    expect(asked()).toEqual(["ws r_a"]);
    expect(server.sockets.size).toBe(2);
    await end();
    await second.following;
    expect(second.told).toEqual(ONCE);
  });

  test("has as many as the sidecar takes, then there is a second", async () => {
    const many = Array.from({ length: 257 }, (_, n) => `r_${n}`);
    const [first = [], ...others] = many.map((run) => logOf(run, LOG.slice(0, 1)));
    const server = fakeServer(first, ...others);
    const client = createCrewClient({ ...server.options, transport: "ws", random: () => 0 });
    const all = many.map((run) => client.follow(run));
    await Promise.all(all.map((frames) => frames.next()));
    expect([...server.sockets].map(({ subscriptions }) => subscriptions.size)).toEqual([256, 1]);
    for (const frames of all) void frames.return();
    expect(server.sockets.size).toBe(0);
  });
});

describe("a run that the sidecar does not know", () => {
  const refused = { code: "unknown_run", message: "no such run", temporary: false };

  test("fails its own follower and no other, as one more on a socket", async () => {
    const { follow, end } = await begin();
    await expect(follow("r_nobody").following).rejects.toMatchObject(refused);
    await end();
  });

  test("fails its own follower and no other, as the first of a socket", async () => {
    const { server, followers, asked, end } = await begin({}, ["r_nobody", "r_a", "r_b"]);
    await expect(followers.get("r_nobody")!.following).rejects.toMatchObject(refused);
    followers.delete("r_nobody");
    expect(asked()).toEqual(["ws r_nobody", "subscribe r_a", "subscribe r_b", "unsubscribe r_nobody"]);
    expect(server.sockets.size).toBe(1);
    await end();
  });
});

describe("a run that is left and followed again on the same socket", () => {
  test("is told from where it is asked for, whatever was still on its way", async () => {
    const { server, of, follow, asked, end, followers } = await begin();
    const [socket] = server.sockets;
    asked();
    // Said by the sidecar before it hears that the run is left.
    const late = logOf(A, LOG)[4]!;
    of(A).leave();
    const again = follow(A);
    followers.set(A, again);
    socket!.say(late);
    await pass(0);
    expect(asked()).toEqual(["unsubscribe r_a", "subscribe r_a"]);
    expect(again.told).toEqual(ONCE.slice(0, 4));
    await end();
  });

  test("while that is still being opened, too", async () => {
    const { server, of, follow, asked, end, followers } = await begin({ transport: "ws" }, []);
    server.weather.ws = "hang";
    followers.set(A, follow(A));
    followers.set("r_b", follow("r_b"));
    await pass(0.1);
    of(A).leave();
    followers.set(A, follow(A));
    await pass(0.1);
    server.weather.ws = "ok";
    server.stir();
    await pass(0);
    expect(asked()).toEqual(["ws r_a", "subscribe r_b", "unsubscribe r_a", "subscribe r_a"]);
    await end();
  });
});

test("a command goes over the socket of any run, and outlasts the follower that it went with", async () => {
  const { server, client, of, asked, end, followers } = await begin();
  asked();
  const acked = client.pause("r_c");
  of(A).leave();
  followers.delete(A);
  expect(await acked).toMatchObject({ ok: true, run: "r_c" });
  await client.resume("r_c");
  expect(asked().sort()).toEqual(["socket", "socket", "unsubscribe r_a"]);
  expect(server.effects).toHaveLength(2);
  await end();
});

test.each(Array.from({ length: 40 }, (_, n) => 2_000 + n))(
  "whatever the network does, each run's events come once and in order (seed %i)",
  async (seed) => {
    const random = numbers(seed);
    const { server, follow, followers, of, end } = await begin({ random, transport: random() < 0.5 ? "ws" : "auto" });
    const heads = new Map(RUNS.map((run) => [run, 4]));
    for (let n = 0; n < 150; n++) {
      const run = RUNS[Math.floor(random() * RUNS.length)]!;
      const dice = random();
      if (dice < 0.1) [...server.sockets][0]?.drop(1006);
      else if (dice < 0.2) for (const line of server.lines) line.mute = random() < 0.5;
      else if (dice < 0.3) server.weather.ws = (["ok", "ok", "refuse", "hang", "mute"] as const)[n % 5]!;
      else if (dice < 0.4) server.weather.http = (["ok", "ok", "refuse", "hang"] as const)[n % 4]!;
      else if (dice < 0.5) {
        of(run).leave();
        followers.set(run, follow(run));
      } else if (dice < 0.75) {
        heads.set(run, heads.get(run)! + 1);
        server.grow(heads.get(run), run);
      } else await pass(random() * 8);
      await pass(0);
      for (const { told } of followers.values()) expect(told).toEqual(ONCE.slice(0, told.length));
    }
    Object.assign(server.weather, { ws: "ok", http: "ok" });
    for (const line of server.lines) line.mute = false;
    server.stir();
    await end();
  },
);
