import { describe, expect, test, vi } from "vitest";
import {
  createCrewClient,
  emptyRun,
  reduce,
  CrewError,
  type Ack,
  type ConnectionStatus,
  type CrewClientOptions,
  type Frame,
  type RunEvent,
} from "../src/index.ts";
import { fakeServer } from "./fakeServer.ts";
import { eventsOf } from "./vectors.ts";

const LOG = eventsOf("completed");
const ONCE = LOG.map(({ seq }) => seq);

function setUp(options: Partial<CrewClientOptions> = {}, log: readonly RunEvent[] = LOG) {
  const server = fakeServer(log);
  const client = createCrewClient({
    ...server.options,
    random: () => 0,
    limits: { open: 60, silence: 200, ack: 60, hedge: 30 },
    ...options,
  });
  return { server, client };
}

async function collect(frames: AsyncIterable<Frame>, each?: (frame: Frame, n: number) => void): Promise<Frame[]> {
  const all: Frame[] = [];
  for await (const frame of frames) {
    all.push(frame);
    each?.(frame, all.length);
  }
  return all;
}

const events = (frames: readonly Frame[]) => frames.filter((frame): frame is RunEvent => "data" in frame);
const seqs = (frames: readonly Frame[]) => events(frames).map(({ seq }) => seq);
const via = ({ requests }: ReturnType<typeof fakeServer>) => requests.map((request) => request.via);

describe.each(["ws", "sse"] as const)("over %s", (transport) => {
  test("a run is followed from its start to its final event", async () => {
    const { server, client } = setUp({ transport });
    const run = await client.start({ message: "hi" });
    const frames = await collect(client.follow(run));
    expect(frames[0]).toMatchObject({ type: "stream.hello", epoch: "k3f9" });
    expect(events(frames)).toEqual(LOG);
    expect(server.effects).toMatchObject([{ cmd: "start", inputs: { message: "hi" } }]);
    expect(client.status).toEqual({ state: "idle", transport, trouble: null, error: null, retryAt: null });
    expect(server.sockets.size).toBe(0);
  });

  test("a run is followed from a cursor", async () => {
    const { server, client } = setUp({ transport });
    const frames = await collect(client.follow(server.run, { after: LOG[4]!.id }));
    expect(seqs(frames)).toEqual(ONCE.slice(5));
  });

  test("a connection that keeps breaking loses nothing and repeats nothing", async () => {
    const { server, client } = setUp({ transport });
    server.weather.breakAfter = 3;
    const frames = await collect(client.follow(server.run));
    expect(seqs(frames)).toEqual(ONCE);
    const cursors = server.requests.map(({ after }) => after);
    expect(cursors.slice(0, 3)).toEqual([null, LOG[2]!.id, LOG[5]!.id]);
  });

  test("duplicates are dropped by their number", async () => {
    const { server, client } = setUp({ transport });
    server.weather.copies = 3;
    expect(seqs(await collect(client.follow(server.run)))).toEqual(ONCE);
  });

  test("after a reset the run is told again, and the reducer ends at the same view", async () => {
    const { server, client } = setUp({ transport });
    server.weather.breakAfter = 6;
    let resets = 0;
    const frames = await collect(client.follow(server.run), (frame, n) => {
      if (n === 5) server.resetNext("epoch");
      if (frame.type === "stream.reset") resets++;
      server.weather.breakAfter = resets ? Infinity : 6;
    });
    expect(resets).toBe(1);
    expect(seqs(frames)).toEqual([...ONCE.slice(0, 6), ...ONCE]);
    expect(frames.reduce(reduce, emptyRun)).toEqual(LOG.reduce(reduce, emptyRun));
  });

  test("after an eviction what is known already is not told again", async () => {
    const { server, client } = setUp({ transport });
    server.resetNext("evicted");
    server.weather.breakAfter = 6;
    const frames = await collect(client.follow(server.run), (_, n) => n === 7 && server.resetNext("evicted"));
    expect(seqs(frames)).toEqual(ONCE);
  });

  test("an unknown run is an error with its code, at once", async () => {
    const { server, client } = setUp({ transport });
    await expect(collect(client.follow("r_nobody"))).rejects.toMatchObject({
      code: "unknown_run",
      message: "no such run",
    });
    expect(server.requests).toHaveLength(1);
  });

  test("a silent connection is given up and resumed", async () => {
    const { server, client } = setUp({ transport, limits: { open: 60, silence: 40 } });
    server.hold(4);
    const following = collect(client.follow(server.run));
    await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(2));
    expect(server.requests.at(-1)?.after).toBe(LOG[3]!.id);
    server.grow();
    expect(seqs(await following)).toEqual(ONCE);
  });

  test("an abort ends it with the signal's reason and closes the connection", async () => {
    const { server, client } = setUp({ transport });
    server.hold(4);
    const controller = new AbortController();
    const reason = new Error("enough");
    const following = collect(client.follow(server.run, { signal: controller.signal }), (_, n) => {
      if (n === 5) setTimeout(() => controller.abort(reason));
    });
    await expect(following).rejects.toBe(reason);
    expect(server.sockets.size).toBe(0);
    expect(client.status.state).toBe("idle");
  });

  test("a reader that leaves the loop closes the connection", async () => {
    const { server, client } = setUp({ transport });
    for await (const frame of client.follow(server.run)) if ("data" in frame && frame.seq === 3) break;
    expect(server.sockets.size).toBe(0);
    expect(client.status.state).toBe("idle");
  });

  test("two followers do not disturb each other", async () => {
    const { server, client } = setUp({ transport });
    server.hold(4);
    const first = collect(client.follow(server.run));
    await vi.waitFor(() => expect(client.status.state).toBe("open"));
    expect(seqs(await collect(client.follow(server.run, { after: LOG.at(-1)!.id })))).toEqual([]);
    expect(client.status.state).toBe("open");
    server.grow();
    expect(seqs(await first)).toEqual(ONCE);
  });
});

describe("choosing a transport", () => {
  test("a WebSocket comes first, with the protocol's name", async () => {
    const { server, client } = setUp();
    server.hold(2);
    const following = collect(client.follow(server.run));
    await vi.waitFor(() => expect(client.status).toMatchObject({ state: "open", transport: "ws" }));
    const [socket] = server.sockets;
    expect(socket).toMatchObject({ url: `ws://sidecar.test/ws?run=${server.run}`, protocol: "crew.v1" });
    server.grow();
    await following;
  });

  test.each(["refuse", "hang", "mute", "throw"] as const)(
    "where a WebSocket does not work (%s), events come by SSE",
    async (ws) => {
      const { server, client } = setUp();
      server.weather.ws = ws;
      expect(seqs(await collect(client.follow(server.run)))).toEqual(ONCE);
      expect(client.status.transport).toBe("sse");
    },
  );

  test("where there is no WebSocket at all, events come by SSE", async () => {
    vi.stubGlobal("WebSocket", undefined);
    const server = fakeServer(LOG);
    const client = createCrewClient({ url: server.options.url, fetch: server.options.fetch });
    expect(seqs(await collect(client.follow(server.run)))).toEqual(ONCE);
    vi.unstubAllGlobals();
  });

  test("the fallback is remembered, not searched for with every run", async () => {
    const { server, client } = setUp();
    server.weather.ws = "hang";
    await collect(client.follow(server.run));
    await collect(client.follow(server.run));
    expect(via(server)).toEqual(["ws", "sse", "sse"]);
  });

  test("a WebSocket lost in the middle goes on over SSE at the cursor", async () => {
    const { server, client } = setUp();
    server.weather.breakAfter = 5;
    const frames = await collect(client.follow(server.run), (_, n) => {
      if (n === 3) Object.assign(server.weather, { ws: "refuse" });
      if (n > 6) server.weather.breakAfter = Infinity;
    });
    expect(seqs(frames)).toEqual(ONCE);
    expect(server.requests.slice(0, 3)).toMatchObject([
      { via: "ws", after: null },
      { via: "ws", after: LOG[4]!.id },
      { via: "sse", after: LOG[4]!.id },
    ]);
  });

  test("a transport that was asked for by name is the only one tried", async () => {
    const { server, client } = setUp({ transport: "ws" });
    server.weather.ws = "refuse";
    const following = collect(client.follow(server.run));
    await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(2));
    expect(client.status.state).toBe("reconnecting");
    server.weather.ws = "ok";
    await following;
    expect(new Set(via(server))).toEqual(new Set(["ws"]));
  });
});

describe("close codes", () => {
  test.each([4000, 4001, 4002, 4499, 1006, 1011])("%i is come back from", async (closeCode) => {
    const { server, client } = setUp({ transport: "ws" });
    Object.assign(server.weather, { closeCode, breakAfter: 4 });
    expect(seqs(await collect(client.follow(server.run)))).toEqual(ONCE);
  });

  test.each([4500, 4501, 4503, 4999])("%i is not", async (closeCode) => {
    const { server, client } = setUp();
    Object.assign(server.weather, { closeCode, breakAfter: 4 });
    await expect(collect(client.follow(server.run))).rejects.toMatchObject({ code: "closed" });
    expect(via(server)).toEqual(["ws"]);
  });
});

test("waits between tries grow, with jitter, and start afresh after progress", async () => {
  const { server, client } = setUp({ random: () => 0.01 });
  Object.assign(server.weather, { ws: "refuse", http: "refuse" });
  const waits: number[] = [];
  const real = globalThis.setTimeout;
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((go: () => void, ms: number) => {
    if (![60, 200, 1_000].includes(ms)) waits.push(ms);
    return real(go, ms);
  }) as typeof setTimeout);
  const following = collect(client.follow(server.run));
  await new Promise((resolve) => real(resolve, 60));
  Object.assign(server.weather, { ws: "ok", http: "ok" });
  await following;
  expect(waits.slice(0, 3)).toEqual([2.5, 5, 10]);
});

test.each([
  ["sse", []],
  ["ws", ["stream.hello", "stream.end"]],
] as const)("a run that has ended is not followed twice (%s)", async (transport, told) => {
  const { server, client } = setUp({ transport });
  const frames = await collect(client.follow(server.run, { after: LOG.at(-1)!.id }));
  expect(frames.map(({ type }) => type)).toEqual(told);
  expect(server.requests).toHaveLength(1);
});

test("an abort is heeded before what has arrived already", async () => {
  const { server, client } = setUp();
  const controller = new AbortController();
  const reason = new Error("enough");
  const seen: Frame[] = [];
  const following = (async () => {
    for await (const frame of client.follow(server.run, { signal: controller.signal })) {
      seen.push(frame);
      await new Promise((resolve) => setTimeout(resolve));
      if (seen.length === 3) controller.abort(reason);
    }
  })();
  await expect(following).rejects.toBe(reason);
  expect(seen).toHaveLength(3);
});

test("a reader slower than the inbox is cut off and comes back at its cursor", async () => {
  const { server, client } = setUp({ transport: "ws", limits: { inbox: 5 } });
  const frames: Frame[] = [];
  for await (const frame of client.follow(server.run)) {
    frames.push(frame);
    if (frames.length === 2) await new Promise((resolve) => setTimeout(resolve, 30));
  }
  expect(seqs(frames)).toEqual(ONCE);
  expect(server.requests.length).toBeGreaterThan(1);
});

describe("commands", () => {
  test("go over the open socket", async () => {
    const { server, client } = setUp();
    server.hold(3);
    const following = collect(client.follow(server.run));
    await vi.waitFor(() => expect(client.status.state).toBe("open"));
    expect(await client.cancel(server.run, "enough")).toMatchObject({ ok: true, run: server.run });
    expect(server.effects).toMatchObject([{ cmd: "cancel", run: server.run, reason: "enough" }]);
    expect(via(server)).toEqual(["ws", "socket"]);
    server.grow();
    await following;
  });

  test("an ack is heard while the reader of events is busy", async () => {
    const { server, client } = setUp();
    const acks: Ack[] = [];
    for await (const frame of client.follow(server.run)) {
      if ("data" in frame && frame.seq === 2) acks.push(await client.cancel(server.run));
    }
    expect(acks).toMatchObject([{ ok: true }]);
    expect(via(server)).toEqual(["ws", "socket"]);
  });

  test.each(["ws", "sse"] as const)("steer a run over %s", async (transport) => {
    const { server, client } = setUp({ transport });
    const { run } = server;
    server.hold(3);
    const following = collect(client.follow(run));
    await vi.waitFor(() => expect(client.status.state).toBe("open"));
    await client.pause(run);
    await client.modify(run, { instruction: "shorter", now: true });
    await client.modify(run, { task: "research_trends", description: "Look at tea" });
    await client.modify(run, { inputs: { message: "Tea" } });
    await client.answer(run, "in_1", "");
    expect(await client.resume(run)).toMatchObject({ ok: true, run });
    expect(server.effects.map(({ id: _, ...command }) => command)).toEqual([
      { cmd: "pause", run },
      { cmd: "modify", run, instruction: "shorter", now: true },
      { cmd: "modify", run, task: "research_trends", description: "Look at tea" },
      { cmd: "modify", run, inputs: { message: "Tea" } },
      { cmd: "answer", run, input: "in_1", text: "" },
      { cmd: "resume", run },
    ]);
    expect(new Set(via(server).slice(1))).toEqual(new Set([transport === "ws" ? "socket" : "post"]));
    server.grow();
    await following;
  });

  test("are POSTed where no socket is open", async () => {
    const { server, client } = setUp({ transport: "sse" });
    server.hold(3);
    const following = collect(client.follow(server.run));
    await vi.waitFor(() => expect(client.status.state).toBe("open"));
    await client.cancel(server.run);
    expect(via(server)).toEqual(["sse", "post"]);
    server.grow();
    await following;
  });

  test("a lost ack is asked for again with the same id, and the effect happens once", async () => {
    const { server, client } = setUp();
    server.weather.loseAcks = 2;
    await client.start({ message: "hi" });
    const ids = server.requests.map(({ body }) => body?.id);
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
    expect(server.effects).toHaveLength(1);
  });

  test("an ack lost on the socket is asked for again by POST", async () => {
    const { server, client } = setUp();
    server.hold(3);
    const following = collect(client.follow(server.run));
    await vi.waitFor(() => expect(client.status.state).toBe("open"));
    server.weather.loseAcks = 1;
    await client.cancel(server.run);
    expect(via(server)).toEqual(["ws", "socket", "post"]);
    expect(server.effects).toHaveLength(1);
    server.grow();
    await following;
  });

  test("are given up after a few tries, and say that nobody is there", async () => {
    const { server, client } = setUp();
    server.weather.http = "refuse";
    await expect(client.start({})).rejects.toMatchObject({
      code: "unreachable",
      message: "No sidecar answers at http://sidecar.test.",
    });
    server.weather.http = "proxy page";
    await expect(client.start({})).rejects.toMatchObject({ code: "unreachable" });
    const { client: here } = setUp({ url: "", fetch: () => Promise.reject(new TypeError("refused")) });
    await expect(here.crews()).rejects.toMatchObject({ message: "No sidecar answers." });
  });

  test("a refusal carries the server's code and message and is not repeated", async () => {
    const { server, client } = setUp();
    const refusal = client.cancel("r_nobody");
    await expect(refusal).rejects.toBeInstanceOf(CrewError);
    await expect(refusal).rejects.toMatchObject({ code: "unknown_run", message: "no such run", temporary: false });
    expect(server.requests).toHaveLength(1);
  });

  test("ids fit the protocol, also where crypto.randomUUID is missing (plain http)", async () => {
    vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
    const { server, client } = setUp();
    await client.start({});
    await client.start({});
    const ids = server.effects.map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9._:-]{1,64}$/);
    vi.unstubAllGlobals();
  });

  test("no more than the bound may be unanswered", async () => {
    const { server, client } = setUp({ limits: { ack: 50, outstanding: 2, retries: 0 } });
    server.weather.http = "hang";
    const [first, second, third] = [1, 2, 3].map(() => client.start({}));
    await expect(third).rejects.toMatchObject({ code: "busy" });
    await expect(first).rejects.toMatchObject({ code: "lost" });
    await expect(second).rejects.toMatchObject({ code: "lost" });
  });
});

describe("tickets", () => {
  const tickets = () => {
    let n = 0;
    return async () => `t&${++n}`;
  };
  const urls = (spy: { mock: { calls: unknown[][] } }) => spy.mock.calls.map(([url]) => String(url));

  test("are asked for before each connection and each command over SSE", async () => {
    const server = fakeServer(LOG);
    const fetch = vi.fn(server.options.fetch);
    const { client } = setUp({ ...server.options, fetch, transport: "sse", getTicket: tickets() });
    const run = await client.start({});
    await collect(client.follow(run));
    expect(urls(fetch)).toEqual([
      "http://sidecar.test/control?ticket=t%261",
      `http://sidecar.test/sse?run=${run}&ticket=t%262`,
    ]);
  });

  test("are asked for anew when a WebSocket has to connect again", async () => {
    const { server, client } = setUp({ transport: "ws", getTicket: tickets() });
    server.weather.breakAfter = 15;
    const seen = new Set<string>();
    const frames = await collect(client.follow(server.run), () => {
      for (const { url } of server.sockets) seen.add(url);
    });
    expect(seqs(frames)).toEqual(ONCE);
    expect([...seen].map((url) => new URL(url).searchParams.get("ticket"))).toEqual(["t&1", "t&2"]);
  });

  test("that cannot be had fail a command, and a connection until they can, which says why", async () => {
    const getTicket = vi
      .fn(async () => "t")
      .mockRejectedValueOnce(new Error("sign in first"))
      .mockRejectedValueOnce("who are you?");
    const { server, client } = setUp({ transport: "ws", getTicket });
    const refusal = client.start({});
    await expect(refusal).rejects.toBeInstanceOf(CrewError);
    await expect(refusal).rejects.toMatchObject({ code: "unauthorized", message: "sign in first", temporary: true });
    const heard: ConnectionStatus[] = [];
    client.subscribe(() => heard.push(client.status));
    expect(seqs(await collect(client.follow(server.run)))).toEqual(ONCE);
    expect(getTicket).toHaveBeenCalledTimes(3);
    expect(heard[1]).toMatchObject({
      state: "reconnecting",
      error: { code: "unauthorized", message: "who are you?", temporary: true },
    });
    expect(client.status.error).toBe(null);
  });

  test("that never come do not hold a command for ever", async () => {
    const { server, client } = setUp({ getTicket: () => new Promise(() => {}), limits: { ack: 20, retries: 1 } });
    await expect(client.start({})).rejects.toMatchObject({ code: "lost" });
    expect(server.requests).toEqual([]);
  });

  test("that come after the follower has left open nothing", async () => {
    let give: (ticket: string) => void = () => {};
    const { server, client } = setUp({ getTicket: () => new Promise<string>((resolve) => (give = resolve)) });
    const controller = new AbortController();
    const following = collect(client.follow(server.run, { signal: controller.signal }));
    await vi.waitFor(() => expect(client.status.state).toBe("connecting"));
    controller.abort();
    await expect(following).rejects.toBe(controller.signal.reason);
    give("t");
    await new Promise((resolve) => setImmediate(resolve));
    expect(server.requests).toEqual([]);
  });
});

test("listeners hear each change of the connection, until they leave", async () => {
  const { server, client } = setUp();
  const heard: string[] = [];
  const leave = client.subscribe(() => {
    const { state, transport, error } = client.status;
    heard.push(`${state} ${transport} ${error?.code}`);
  });
  server.weather.breakAfter = 8;
  await collect(client.follow(server.run), (_, n) => n > 9 && (server.weather.breakAfter = Infinity));
  expect(heard).toEqual([
    "connecting null undefined",
    "open ws undefined",
    // Once to say when it is tried again, and once as that is done.
    "reconnecting ws lost",
    "reconnecting ws lost",
    "open ws undefined",
    "idle ws undefined",
  ]);
  leave();
  await collect(client.follow(server.run));
  expect(heard).toHaveLength(6);
});
