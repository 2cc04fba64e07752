import { describe, expect, test } from "vitest";
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
