import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createFollow } from "../src/follow.ts";
import { createCrewClient, CrewError, emptyRun, reduce, type CrewClientOptions, type Frame, type RunEvent } from "../src/index.ts";
import { LIMITS_DEFAULT, type Transport } from "../src/transport.ts";
import { fakeServer, type Line } from "./fakeServer.ts";
import { eventsOf } from "./vectors.ts";

const LOG = eventsOf("completed");
const ONCE = LOG.map(({ seq }) => seq);
const SECOND = 1_000;

const WAKES = ["pageshow", "online", "visibilitychange"];
let page: Map<string, Set<(event: Event) => void>>;
let document: { hidden: boolean };
const listeners = () => WAKES.map((type) => page.get(type)!.size);
const happens = (type: string, more: object = {}) => {
  for (const listener of page.get(type)!) listener(Object.assign(new Event(type), more));
};

beforeEach(() => {
  vi.useFakeTimers();
  page = new Map(WAKES.map((type) => [type, new Set()]));
  document = { hidden: false };
  vi.stubGlobal("document", document);
  // Not an EventTarget: Node 20 forgets to remove all but the last of those that share a signal once it collects garbage.
  vi.stubGlobal("addEventListener", (type: string, listener: (event: Event) => void, { signal }: { signal: AbortSignal }) => {
    page.get(type)!.add(listener);
    signal.addEventListener("abort", () => page.get(type)!.delete(listener));
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  expect(listeners()).toEqual([0, 0, 0]);
});

const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * SECOND);

/** A follower that has been told the first `told` events, with the server's pings; `end` lets the run finish. */
async function setUp(options: Partial<CrewClientOptions> = {}, { told = 4, weather = {} } = {}) {
  const server = fakeServer(LOG);
  Object.assign(server.weather, weather);
  server.hold(told);
  const client = createCrewClient({ ...server.options, random: () => 0, ...options });
  const frames: Frame[] = [];
  const states: string[] = [];
  const controller = new AbortController();
  client.subscribe(() => states.push(`${client.status.state} ${client.status.transport}`));
  setInterval(server.ping, 10 * SECOND);

  const follow = async () => {
    for await (const frame of client.follow(server.run, { signal: controller.signal })) frames.push(frame);
  };
  const following = follow();
  await pass(0);

  return {
    server,
    client,
    frames,
    /** Each change of the connection, as heard by its listeners. */
    states,
    follow,
    line: () => [...server.lines].at(-1) as Line,
    /** What was asked for since the last call: transport and the number of the last known event. */
    asked: () => server.requests.splice(0).map(({ via, after }) => `${via} ${after?.split("-")[1] ?? 0}`),
    seqs: () => frames.flatMap((frame) => ("data" in frame ? frame.seq : [])),
    async end() {
      server.grow();
      await following;
      expect(server.lines.size).toBe(0);
    },
    async stop() {
      controller.abort();
      await expect(following).rejects.toBe(controller.signal.reason);
      expect(server.lines.size + server.sockets.size).toBe(0);
    },
  };
}

describe("a connection that falls silent", () => {
  test("is left for the other transport, at the cursor: nothing is lost and nothing comes twice", async () => {
    const { server, client, states, line, asked, seqs, end } = await setUp();
    line().mute = true;
    server.grow(9);
    await pass(11.9);
    expect(asked()).toEqual(["ws 0"]);
    await pass(0.2);
    expect(asked()).toEqual(["sse 4"]);
    expect(seqs()).toEqual(ONCE.slice(0, 9));
    expect(client.status).toMatchObject({ state: "open", transport: "sse" });
    await end();
    expect(seqs()).toEqual(ONCE);
    expect(states).toEqual(["connecting null", "open ws", "open sse", "idle sse"]);
  });

  test("is kept until the other one has spoken", async () => {
    const { server, line, seqs, asked, stop } = await setUp({}, { weather: { http: "hang" } });
    const silent = line();
    silent.mute = true;
    await pass(13);
    expect(asked()).toEqual(["ws 0"]);
    expect([...server.lines]).toEqual([silent]);
    expect(seqs()).toEqual(ONCE.slice(0, 4));
    await stop();
  });

  test("that speaks up in time is kept, and the attempt is given up", async () => {
    const aborted = vi.fn();
    const { server, client, states, line, seqs, end } = await setUp(
      {
        fetch: (_, init) =>
          new Promise((_, reject) => {
            init?.signal?.addEventListener("abort", () => {
              aborted();
              reject(init.signal?.reason);
            });
          }),
      },
    );
    line().mute = true;
    server.grow(9);
    await pass(13);
    expect(aborted).not.toHaveBeenCalled();
    line().mute = false;
    server.stir();
    await pass(0);
    expect(aborted).toHaveBeenCalledOnce();
    expect(seqs()).toEqual(ONCE.slice(0, 9));
    await pass(60);
    await end();
    expect(client.status.transport).toBe("ws");
    expect(states).toEqual(["connecting null", "open ws", "idle ws"]);
  });

  test("is given up when the other one fails, and tried again", async () => {
    const { server, states, line, asked, seqs, end } = await setUp();
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    line().mute = true;
    await pass(12.1);
    expect(server.lines.size).toBe(0);
    expect(states.at(-1)).toBe("reconnecting ws");
    Object.assign(server.weather, { ws: "ok", http: "ok" });
    await pass(1);
    expect(asked().at(-1)).toBe("ws 4");
    await end();
    expect(seqs()).toEqual(ONCE);
  });

  test.each(["ws", "sse"] as const)("is left for a fresh one of its kind where %s is the only transport", async (transport) => {
    const { server, states, line, asked, seqs, end } = await setUp({ transport });
    line().mute = true;
    server.grow(9);
    await pass(12.1);
    expect(asked()).toEqual([`${transport} 0`, `${transport} 4`]);
    expect(seqs()).toEqual(ONCE.slice(0, 9));
    await end();
    expect(seqs()).toEqual(ONCE);
    expect(states).toEqual(["connecting null", `open ${transport}`, `idle ${transport}`]);
  });

  test("on the fallback is left for a fresh one when a WebSocket still does not open", async () => {
    const { server, line, asked, seqs, states, end } = await setUp({}, { weather: { ws: "refuse" } });
    await pass(1);
    line().mute = true;
    server.grow(9);
    asked();
    await pass(12.1);
    expect(asked()).toEqual(["ws 4", "sse 4"]);
    expect(seqs()).toEqual(ONCE.slice(0, 9));
    await end();
    expect(states).toEqual(["connecting null", "open sse", "idle sse"]);
  });

  test("is not what pings make of a run that has nothing to tell", async () => {
    const { asked, states, end } = await setUp();
    await pass(600);
    expect(asked()).toEqual(["ws 0"]);
    await end();
    expect(states).toEqual(["connecting null", "open ws", "idle ws"]);
  });

  test("is not what a slow reader makes of it", async () => {
    const server = fakeServer(LOG);
    server.hold(4);
    const client = createCrewClient({ ...server.options, random: () => 0 });
    setInterval(server.ping, 10 * SECOND);
    for await (const frame of client.follow(server.run)) {
      if ("data" in frame && frame.seq === 2) await pass(60);
      server.grow();
    }
    expect(server.requests).toHaveLength(1);
  });

  test("and a reader that leaves in the middle of the handover closes both", async () => {
    const { server, line, stop } = await setUp();
    server.weather.ws = "hang";
    line().mute = true;
    await pass(12.1);
    // On SSE now; its silence has a WebSocket tried.
    line().mute = true;
    await pass(12.1);
    expect([server.lines.size, server.sockets.size]).toEqual([1, 1]);
    await stop();
  });
});

describe("back to WebSocket", () => {
  test("a WebSocket that went mute in the middle of a run is returned to when it works again", async () => {
    const { server, client, states, line, asked, seqs, end } = await setUp();
    line().mute = true;
    server.weather.ws = "mute";
    await pass(12.1);
    expect(client.status.transport).toBe("sse");
    server.grow(9);
    await pass(14);
    server.weather.ws = "ok";
    await pass(1);
    expect(client.status.transport).toBe("ws");
    expect(server.lines.size).toBe(1);
    expect(asked()).toEqual(["ws 0", "sse 4", "ws 9"]);
    await end();
    expect(seqs()).toEqual(ONCE);
    expect(states).toEqual(["connecting null", "open ws", "open sse", "open ws", "idle ws"]);
  });

  test("nothing more is tried once it is back, and commands go over it again", async () => {
    const { server, client, line, asked, stop } = await setUp();
    line().mute = true;
    await pass(12.1);
    await client.pause(server.run);
    expect(asked().map((request) => request.split(" ")[0])).toEqual(["ws", "sse", "post"]);
    await pass(15);
    expect(client.status.transport).toBe("ws");
    asked();
    await client.resume(server.run);
    await pass(600);
    expect(asked()).toEqual(["socket 0"]);
    await stop();
  });

  test("tries are quiet, further and further apart, and do not disturb what is being told", async () => {
    const { server, states, asked, seqs, end } = await setUp({}, { weather: { ws: "hang" } });
    await pass(4.1);
    server.weather.ws = "refuse";
    asked();
    const waits: number[] = [];
    for (let seconds = 1, since = 0; seconds < 1_200; seconds++) {
      await pass(1);
      since++;
      const tries = asked();
      if (tries.length === 0) continue;
      expect(tries).toEqual(["ws 4"]);
      waits.push(since);
      since = 0;
    }
    expect(waits).toEqual([15, 30, 60, 120, 240, 300, 300]);
    server.weather.ws = "hang";
    server.grow(9);
    await pass(300);
    server.grow(12);
    await pass(0);
    expect(seqs()).toEqual(ONCE.slice(0, 12));
    await end();
    expect(states).toEqual(["connecting null", "open sse", "idle sse"]);
  });

  test("what opens and then falls mute is not hurried back to, until it has lasted", async () => {
    const { server, client, line, stop } = await setUp();
    const onFallback: number[] = [];
    for (let n = 0; n < 4; n++) {
      line().mute = true;
      for (const { via } of server.lines) expect(via).toBe("ws");
      let seconds = 0;
      for (; client.status.transport === "ws"; seconds++) await pass(1);
      expect(seconds).toBeLessThan(14);
      for (seconds = 0; client.status.transport === "sse"; seconds++) await pass(1);
      onFallback.push(seconds);
      // The last one lasts: it says its ping.
      if (n === 2) await pass(11);
    }
    expect(onFallback).toEqual([15, 30, 60, 15]);
    await stop();
  });

  test("the fallback is remembered for the next run, but not for good", async () => {
    const { server, client, asked, follow, end } = await setUp({}, { weather: { ws: "refuse" } });
    expect(asked()).toEqual(["ws 0", "sse 0"]);
    await end();
    server.hold(4);
    server.weather.ws = "ok";
    const next = follow();
    await pass(1);
    expect(asked()).toEqual(["sse 0"]);
    expect(client.status.transport).toBe("sse");
    await pass(15);
    expect(asked()).toEqual(["ws 4"]);
    expect(client.status.transport).toBe("ws");
    server.grow();
    await next;
  });

  test("the next run tries at once when it is due", async () => {
    const { server, client, asked, follow, end } = await setUp({}, { weather: { ws: "refuse" } });
    await end();
    await pass(60);
    server.hold(4);
    server.weather.ws = "ok";
    asked();
    const next = follow();
    await pass(0.1);
    expect(asked()).toEqual(["sse 0", "ws 4"]);
    expect(client.status.transport).toBe("ws");
    server.grow();
    await next;
  });

  test("all followers return at the same times, each on its own connection", async () => {
    const { server, follow, asked, end } = await setUp({}, { weather: { ws: "refuse" } });
    const second = follow();
    await pass(14);
    asked();
    await pass(2);
    expect(asked()).toEqual(["ws 4", "ws 4"]);
    await pass(28);
    expect(asked()).toEqual([]);
    server.weather.ws = "ok";
    await pass(2);
    expect(asked()).toEqual(["ws 4", "ws 4"]);
    expect([...server.lines].map(({ via }) => via)).toEqual(["ws", "ws"]);
    await end();
    await second;
  });

  test("where the fallback fails as well, the search begins again", async () => {
    const { server, client, line, asked, end } = await setUp({}, { weather: { ws: "refuse" } });
    Object.assign(server.weather, { ws: "ok", http: "refuse" });
    line().broken = true;
    server.stir();
    asked();
    await pass(1);
    expect(asked()).toEqual(["ws 4"]);
    expect(client.status).toMatchObject({ state: "open", transport: "ws" });
    await end();
  });

  test("a try that is under way when the fallback falls silent is the way out of it", async () => {
    const { server, line, asked, seqs, end } = await setUp({}, { weather: { ws: "refuse" } });
    await pass(4);
    server.weather.ws = "hang";
    server.grow(6);
    await pass(0);
    line().mute = true;
    server.grow(9);
    asked();
    // Silent from 4 s on: a try begins at 15 s, the silence is noticed at 16 s, the try fails at 19 s.
    await pass(14.5);
    expect(asked()).toEqual(["ws 6"]);
    await pass(1);
    expect(asked()).toEqual(["sse 6"]);
    await end();
    expect(seqs()).toEqual(ONCE);
  });

  test("a page that asked for SSE is left there", async () => {
    const { asked, end } = await setUp({ transport: "sse" });
    await pass(600);
    happens("online");
    await pass(1);
    expect(asked()).toEqual(["sse 0"]);
    await end();
  });
});

describe("when the page or the network is back", () => {
  test.each(WAKES)("a follower that waits to reconnect tries at once (%s)", async (type) => {
    const { server, client, line, asked, end } = await setUp({ random: () => 0.999 });
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    line().broken = true;
    server.stir();
    await pass(60);
    Object.assign(server.weather, { ws: "ok", http: "ok" });
    asked();
    expect(client.status.state).toBe("reconnecting");
    happens(type);
    await pass(0.001);
    expect(asked()).toEqual(["ws 4"]);
    expect(client.status.state).toBe("open");
    await end();
  });

  test("and the first try fails, the next ones follow soon", async () => {
    const { server, line, asked, stop } = await setUp({ random: () => 0.999 });
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    line().broken = true;
    server.stir();
    await pass(60);
    asked();
    happens("online");
    await pass(0.8);
    expect(asked()).toEqual(["ws 4", "ws 4", "ws 4"]);
    await stop();
  });

  test("waits begin afresh, those of trying WebSocket again too", async () => {
    const { server, asked, stop } = await setUp({}, { weather: { ws: "refuse" } });
    await pass(200);
    asked();
    happens("online");
    await pass(29);
    expect(asked()).toEqual(["ws 4"]);
    await pass(2);
    expect(asked()).toEqual(["ws 4"]);
    expect(server.lines.size).toBe(1);
    await stop();
  });

  test("a tab that goes into the background is no such moment", async () => {
    const { server, line, asked, stop } = await setUp({ random: () => 0.999 });
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    line().broken = true;
    server.stir();
    await pass(60);
    Object.assign(server.weather, { ws: "ok", http: "ok" });
    asked();
    document.hidden = true;
    happens("visibilitychange");
    await pass(0.001);
    expect(asked()).toEqual([]);
    await stop();
  });

  test.each(WAKES)("a connection that was silent for longer than a ping's time is checked at once (%s)", async (type) => {
    const { server, line, asked, seqs, states, end } = await setUp();
    const silent = line();
    silent.mute = true;
    server.grow(9);
    await pass(10.5);
    asked();
    happens(type);
    await pass(0);
    expect(asked()).toEqual(["ws 4"]);
    expect(server.lines.has(silent)).toBe(false);
    expect(seqs()).toEqual(ONCE.slice(0, 9));
    await end();
    expect(states).toEqual(["connecting null", "open ws", "idle ws"]);
  });

  test("a page whose timers stood still is checked by the clock", async () => {
    const { line, asked, end } = await setUp();
    line().mute = true;
    vi.setSystemTime(Date.now() + 3_600 * SECOND);
    asked();
    happens("visibilitychange");
    await pass(0);
    expect(asked()).toEqual(["ws 4"]);
    await end();
  });

  test("a check goes on to the other transport, and the silent one is kept until that speaks", async () => {
    const { server, line, asked, seqs, end } = await setUp();
    const silent = line();
    silent.mute = true;
    server.weather.ws = "refuse";
    await pass(10.5);
    asked();
    happens("online");
    await pass(0);
    expect(asked()).toEqual(["ws 4", "sse 4"]);
    await end();
    expect(seqs()).toEqual(ONCE);
  });

  test.each(WAKES)("a healthy connection is left alone, however often (%s)", async (type) => {
    const { asked, states, end } = await setUp();
    for (let n = 0; n < 50; n++) {
      await pass(1);
      happens(type);
    }
    expect(asked()).toEqual(["ws 0"]);
    await end();
    expect(states).toEqual(["connecting null", "open ws", "idle ws"]);
  });

  test("a page from the back/forward cache is checked, for its socket is closed and nobody said so", async () => {
    const { line, asked, end } = await setUp();
    await pass(11);
    line().mute = true;
    asked();
    happens("pageshow", { persisted: true });
    await pass(0);
    expect(asked()).toEqual(["ws 4"]);
    await end();
  });

  test.each(WAKES)("a follower on the fallback tries WebSocket again (%s)", async (type) => {
    const { server, client, asked, end } = await setUp({}, { weather: { ws: "refuse" } });
    await pass(200);
    server.weather.ws = "ok";
    asked();
    happens(type);
    await pass(0);
    expect(asked()).toEqual(["ws 4"]);
    expect(client.status.transport).toBe("ws");
    await end();
  });

  test("an attempt that is under way is not doubled", async () => {
    const { asked, stop } = await setUp({}, { weather: { ws: "hang" } });
    for (const type of WAKES) happens(type, { persisted: true });
    await pass(0);
    expect(asked()).toEqual(["ws 0"]);
    await stop();
  });

  test("is listened for only while something is followed", async () => {
    expect(listeners()).toEqual([0, 0, 0]);
    const { client, server, follow, end } = await setUp();
    expect(listeners()).toEqual([1, 1, 1]);
    const second = follow();
    await pass(0);
    expect(listeners()).toEqual([2, 2, 2]);
    await end();
    await second;
    expect(listeners()).toEqual([0, 0, 0]);
    for await (const _ of client.follow(server.run)) break;
    expect(listeners()).toEqual([0, 0, 0]);
    await expect(client.follow("r_nobody").next()).rejects.toMatchObject({ code: "unknown_run" });
    expect(listeners()).toEqual([0, 0, 0]);
  });

  test("is not listened for where there are no such events, as in Node", async () => {
    vi.stubGlobal("addEventListener", undefined);
    const { seqs, end } = await setUp();
    await end();
    expect(seqs()).toEqual(ONCE);
  });
});

describe("a sidecar that cannot store events", () => {
  test("says so in its pings, until one says nothing of it", async () => {
    const { server, client, end } = await setUp();
    const heard: (string | null)[] = [];
    client.subscribe(() => heard.push(client.status.trouble));
    server.weather.trouble = "disk full";
    await pass(10);
    expect(client.status).toEqual({ state: "open", transport: "ws", trouble: "disk full" });
    await pass(20);
    server.weather.trouble = undefined;
    await pass(10);
    expect(heard).toEqual(["disk full", null]);
    await end();
  });

  test("says so to who comes new, and nothing to who follows nothing", async () => {
    const { client, stop } = await setUp({}, { weather: { trouble: "disk full" } });
    expect(client.status.trouble).toBe("disk full");
    await stop();
    expect(client.status).toEqual({ state: "idle", transport: "ws", trouble: null });
  });
});

describe("a sidecar that is restarted", () => {
  test("is tried until it is back, and goes on at the cursor", async () => {
    const { server, states, line, asked, seqs, end } = await setUp({ random: () => 0.5 });
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    line().broken = true;
    server.stir();
    await pass(30);
    expect(states.at(-1)).toBe("reconnecting ws");
    const tries = asked();
    expect(tries.length).toBeGreaterThan(5);
    expect(tries.length).toBeLessThan(15);
    Object.assign(server.weather, { ws: "ok", http: "ok" });
    await pass(10);
    expect(asked()).toEqual(["ws 4"]);
    await end();
    expect(seqs()).toEqual(ONCE);
    expect(states).toEqual(["connecting null", "open ws", "reconnecting ws", "open ws", "idle ws"]);
  });

  test.each([
    ["told something new", 5, 0],
    ["lasted for a ping's time", 4, 10],
  ])("and breaks again after it has %s is tried again as soon as the first time", async (_, told, seconds) => {
    const { server, client, line, asked, stop } = await setUp({ random: () => 0.999 });
    const shut = async () => {
      Object.assign(server.weather, { ws: "refuse", http: "refuse" });
      line().broken = true;
      server.stir();
      await pass(0);
      asked();
    };
    await shut();
    await pass(60);
    Object.assign(server.weather, { ws: "ok", http: "ok" });
    while (client.status.state !== "open") await pass(0.1);
    server.grow(told);
    await pass(seconds);
    await shut();
    await pass(0.3);
    expect(asked()).toEqual([`ws ${told}`]);
    await stop();
  });

  test("and has another log begins again", async () => {
    const { server, frames, line, seqs, end } = await setUp();
    server.resetNext("epoch");
    line().broken = true;
    server.stir();
    await pass(1);
    expect(seqs()).toEqual([...ONCE.slice(0, 4), ...ONCE.slice(0, 4)]);
    await end();
    expect(frames.reduce(reduce, emptyRun)).toEqual(LOG.reduce(reduce, emptyRun));
  });
});

test("nothing is opened before a slow reader has caught up", async () => {
  const server = fakeServer(LOG);
  const client = createCrewClient({ ...server.options, random: () => 0, limits: { inbox: 5 } });
  const seqs: number[] = [];
  for await (const frame of client.follow(server.run)) {
    if ("data" in frame) seqs.push(frame.seq);
    if (seqs.length !== 1) continue;
    await pass(60);
    happens("online");
    await pass(60);
    expect(server.requests).toHaveLength(1);
    expect(server.lines.size).toBe(0);
  }
  expect(seqs).toEqual(ONCE);
});

/** mulberry32: the same numbers in [0, 1) for the same seed, wherever it runs. */
function numbers(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Two transports that open or refuse, stall, die, and speak on after they were closed (what was on
 * its way still arrives), over one log that grows.
 */
function storm(random: () => number, total: number) {
  const event = (seq: number) =>
    ({ type: "log", run: "r", seq, id: `e-${seq}`, ts: 0, at: 0, data: { stream: "stdout", text: "" }, ...(seq === total && { final: true }) }) as RunEvent;
  const open: { name: string; speak(most: number): void; die(error?: Error): void; said: number; closed: boolean }[] = [];
  let head = 0;

  const transport = (name: Transport["name"]): Transport => ({
    name,
    open(query, take, signal) {
      let die: (error?: Error) => void = () => {};
      const done = new Promise<void>((_, reject) => (die = reject));
      const line = {
        name,
        said: -1,
        closed: false,
        die,
        speak(most: number) {
          if (line.said < 0) {
            take({ type: "stream.hello", protocol: 1, run: "r", epoch: "e", head, state: "running", server_time: 0 });
            line.said = +(new URLSearchParams(query).get("after")?.slice(2) ?? 0);
          }
          for (let n = 0; n < most && line.said < head; n++) take(event(++line.said));
          if (line.said === head) take({ type: "stream.ping", run: "r", seq: head, server_time: 0 });
        },
      };
      signal.addEventListener("abort", () => (line.closed = true));
      open.push(line);
      return { done };
    },
  });

  return {
    order: [transport("ws"), transport("sse")],
    open,
    get head() {
      return head;
    },
    grow(n: number) {
      head = Math.min(total, head + n);
    },
    /** One of the latest, closed ones among them. */
    any: () => open.at(-1 - Math.floor(random() * 4)),
  };
}

describe("with both transports in hand", () => {
  const refused = (temporary: boolean) => new CrewError({ code: "closed", message: "too many", temporary });

  async function begin() {
    const { order, open, grow } = storm(Math.random, 60);
    const follow = createFollow(order, LIMITS_DEFAULT, () => 0, new Set(), () => {});
    const seqs: number[] = [];
    const controller = new AbortController();
    const following = (async () => {
      for await (const frame of follow("r", { signal: controller.signal })) if ("data" in frame) seqs.push(frame.seq);
    })();
    grow(3);
    await pass(0);
    const stop = async () => {
      controller.abort();
      await expect(following).rejects.toBe(controller.signal.reason);
      expect(open.every(({ closed }) => closed)).toBe(true);
    };
    return { open, grow, seqs, stop, names: () => open.map(({ name, closed }) => (closed ? `(${name})` : name)) };
  }

  test("what a closed connection still delivers is not heard", async () => {
    const { open, grow, seqs, names, stop } = await begin();
    open[0]!.speak(2);
    await pass(12.1);
    open[1]!.speak(9);
    expect(names()).toEqual(["(ws)", "sse"]);
    grow(3);
    open[0]!.speak(9);
    await pass(0);
    expect(seqs).toEqual([1, 2, 3]);
    open[1]!.speak(9);
    await pass(0);
    expect(seqs).toEqual([1, 2, 3, 4, 5, 6]);
    await stop();
  });

  test("a WebSocket that is slow to open is waited for while the fallback goes on telling", async () => {
    const { open, grow, seqs, names, stop } = await begin();
    open[0]!.die();
    await pass(0);
    open[1]!.speak(3);
    await pass(10);
    open[1]!.speak(0);
    await pass(5);
    expect(names()).toEqual(["(ws)", "sse", "ws"]);
    grow(3);
    open[1]!.speak(2);
    await pass(0);
    expect(names()).toEqual(["(ws)", "sse", "ws"]);
    open[2]!.speak(9);
    await pass(0);
    expect(names()).toEqual(["(ws)", "(sse)", "ws"]);
    expect(seqs).toEqual([1, 2, 3, 4, 5, 6]);
    await stop();
  });

  test("a connection that breaks while the other is being opened leaves it to that", async () => {
    const { open, names, stop } = await begin();
    open[0]!.speak(3);
    await pass(12.1);
    open[0]!.die();
    await pass(2);
    expect(names()).toEqual(["(ws)", "sse"]);
    open[1]!.speak(3);
    await stop();
  });

  test("a refusal of the second connection is no last word, of the only one it is", async () => {
    const { open, names, stop } = await begin();
    open[0]!.speak(3);
    await pass(12.1);
    open[1]!.die(refused(false));
    await pass(0.1);
    expect(names()).toEqual(["(ws)", "(sse)", "ws"]);
    await stop();
  });
});

test.each(Array.from({ length: 60 }, (_, n) => 1_000 + n))("whatever connections do, every event comes once and in order (seed %i)", async (seed) => {
  const random = numbers(seed);
  const TOTAL = 60;
  const { order, open, any, grow } = storm(random, TOTAL);
  const follow = createFollow(random() < 0.3 ? order.slice(0, 1) : order, { ...LIMITS_DEFAULT, inbox: 25 }, random, new Set(), () => {});
  const seqs: number[] = [];
  const following = (async () => {
    for await (const frame of follow("r")) if ("data" in frame) seqs.push(frame.seq);
  })();

  await pass(0);
  for (let n = 0; n < 300; n++) {
    const dice = random();
    if (dice < 0.5) any()?.speak(Math.floor(random() * 5));
    else if (dice < 0.6) any()?.die(new Error("broken"));
    else if (dice < 0.65) happens(WAKES[n % 3]!, { persisted: random() < 0.3 });
    else if (dice < 0.75) grow(1);
    else await pass(random() * 15);
    await pass(0);
    expect(open.filter(({ closed }) => !closed).length).toBeLessThanOrEqual(2);
  }
  // Fair weather at last.
  for (let n = 0; n < 100; n++) {
    grow(TOTAL);
    for (const line of open.filter(({ closed }) => !closed)) line.speak(TOTAL);
    await pass(1);
  }
  await following;
  expect(seqs).toEqual(Array.from({ length: TOTAL }, (_, n) => n + 1));
  expect(open.every(({ closed }) => closed)).toBe(true);
});
