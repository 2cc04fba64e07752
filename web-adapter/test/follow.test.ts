import { describe, expect, test, vi } from "vitest";
import { createCrewClient, emptyRun, reduce } from "../src/index.ts";
import { fakeServer } from "./fakeServer.ts";
import { happens, LOG, ONCE, pass, setUp } from "./page.ts";

describe("a sidecar that cannot store events", () => {
  test("says so in its pings, until one says nothing of it", async () => {
    const { server, client, end } = await setUp();
    const heard: (string | null)[] = [];
    client.subscribe(() => heard.push(client.status.trouble));
    server.weather.trouble = "disk full";
    await pass(10);
    expect(client.status).toMatchObject({ state: "open", transport: "ws", trouble: "disk full" });
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
    expect(client.status).toMatchObject({ state: "idle", transport: "ws", trouble: null });
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

test("a reader that catches up as the page wakes has one connection opened, not two", async () => {
  const server = fakeServer(LOG);
  const client = createCrewClient({ ...server.options, random: () => 0, limits: { inbox: 5 } });
  const frames = client.follow(server.run);
  await frames.next();
  await pass(60);
  server.weather.ws = "hang";
  server.requests.length = 0;
  happens("online");
  // What has arrived by then, and what has to be asked for.
  void (async () => {
    for await (const _ of frames);
  })();
  await pass(0);
  expect(server.requests).toHaveLength(1);
  await frames.return();
  expect(server.sockets.size).toBe(0);
});

describe("a reader that leaves while it waits", () => {
  const waiting = async (options: Parameters<typeof setUp>[0], told = 4) => {
    const page = await setUp(options, { told });
    await page.stop();
    const frames = page.client.follow(page.server.run);
    // The first and the last of them tell of the stream.
    for (let n = 0; n < told + 2; n++) await frames.next();
    return { ...page, frames, next: frames.next() };
  };

  test.each(["ws", "sse"] as const)("closes at once and is done (%s)", async (transport) => {
    const { client, server, frames, next } = await waiting({ transport });
    const left = frames.return();
    expect(server.lines.size + server.sockets.size).toBe(0);
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await left).toEqual({ done: true, value: undefined });
    expect(client.status.state).toBe("idle");
  });

  test("is done in a tab that is asleep, and without a network", async () => {
    const { client, server, line, frames, next } = await waiting({});
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    line().broken = true;
    server.stir();
    await pass(1);
    expect(client.status.state).toBe("reconnecting");
    void frames.return();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(client.status.state).toBe("idle");
    expect(vi.getTimerCount()).toBe(1); // The server's pings.
  });

  test("is done before it has begun", async () => {
    const server = fakeServer(LOG);
    const frames = createCrewClient(server.options).follow(server.run);
    await frames.return();
    expect(await frames.next()).toEqual({ done: true, value: undefined });
    expect(server.requests).toEqual([]);
  });
});

describe("a second transport", () => {
  test("is tried a second after a WebSocket that does not open, and kept where it speaks first", async () => {
    const { server, client, asked, seqs, end } = await setUp({}, { weather: { ws: "hang" } });
    await pass(0.9);
    expect(asked()).toEqual(["ws 0"]);
    await pass(0.2);
    expect(asked()).toEqual(["sse 0"]);
    expect(client.status).toMatchObject({ state: "open", transport: "sse" });
    expect(server.sockets.size).toBe(0);
    await end();
    expect(seqs()).toEqual(ONCE);
  });

  test("is left where the WebSocket speaks first after all", async () => {
    const { server, client, asked, seqs, end } = await setUp({}, { weather: { ws: "hang", http: "hang" } });
    await pass(1.1);
    expect(asked()).toEqual(["ws 0"]);
    expect(server.hanging.size).toBe(1);
    server.weather.ws = "ok";
    server.stir();
    await pass(0);
    expect(client.status).toMatchObject({ state: "open", transport: "ws" });
    expect(server.hanging.size).toBe(0);
    await end();
    expect(seqs()).toEqual(ONCE);
  });

  test("is not tried beside a WebSocket that opens in time, nor twice where the first fails later", async () => {
    const { server, client, asked, stop } = await setUp({ random: () => 0.8 }, { weather: { ws: "hang" } });
    server.weather.http = "refuse";
    await pass(3.9);
    expect(asked()).toEqual(["ws 0"]);
    expect(client.status.state).toBe("connecting");
    await pass(0.2);
    expect(asked()).toEqual([]);
    expect(client.status).toMatchObject({ state: "reconnecting", retryAt: Date.now() + 100 });
    await stop();
  });
});
