import { describe, expect, test, vi } from "vitest";
import { document, happens, listeners, ONCE, pass, SECOND, setUp, WAKES } from "./page.ts";

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

  test.each(WAKES)(
    "a connection that was silent for longer than a ping's time is checked at once (%s)",
    async (type) => {
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
    },
  );

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
    expect(listeners()).toEqual([0, 0, 0, 0]);
    const { client, server, follow, end } = await setUp();
    expect(listeners()).toEqual([1, 1, 1, 1]);
    const second = follow();
    await pass(0);
    expect(listeners()).toEqual([2, 2, 2, 2]);
    await end();
    await second;
    expect(listeners()).toEqual([0, 0, 0, 0]);
    for await (const _ of client.follow(server.run)) break;
    expect(listeners()).toEqual([0, 0, 0, 0]);
    await expect(client.follow("r_nobody").next()).rejects.toMatchObject({ code: "unknown_run" });
    expect(listeners()).toEqual([0, 0, 0, 0]);
  });

  test("is not listened for where there are no such events, as in Node", async () => {
    vi.stubGlobal("addEventListener", undefined);
    const { seqs, end } = await setUp();
    await end();
    expect(seqs()).toEqual(ONCE);
  });
});
