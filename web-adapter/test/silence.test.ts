import { describe, expect, test, vi } from "vitest";
import { createCrewClient } from "../src/index.ts";
import { fakeServer } from "./fakeServer.ts";
import { happens, LOG, ONCE, pass, SECOND, setUp } from "./page.ts";

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

  test("after it has lasted is left for a fresh one of its kind", async () => {
    const { server, states, line, asked, seqs, end } = await setUp();
    await pass(10);
    line().mute = true;
    server.grow(9);
    await pass(12.1);
    expect(asked()).toEqual(["ws 0", "ws 4"]);
    expect(seqs()).toEqual(ONCE.slice(0, 9));
    expect(server.sockets.size).toBe(1);
    await end();
    expect(states).toEqual(["connecting null", "open ws", "idle ws"]);
  });

  test("after it has lasted is left for the other transport where a fresh one says nothing for a second", async () => {
    const { server, client, line, asked, seqs, end } = await setUp();
    await pass(10);
    line().mute = true;
    server.weather.ws = "mute";
    server.grow(9);
    await pass(12.1);
    expect(asked()).toEqual(["ws 0", "ws 4"]);
    expect(seqs()).toEqual(ONCE.slice(0, 4));
    await pass(1);
    expect(asked()).toEqual(["sse 4"]);
    expect(seqs()).toEqual(ONCE.slice(0, 9));
    expect(client.status).toMatchObject({ state: "open", transport: "sse" });
    expect(server.sockets.size).toBe(0);
    await end();
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
    const { server, client, states, line, seqs, end } = await setUp({
      fetch: (_, init) =>
        new Promise((_, reject) => {
          init?.signal?.addEventListener("abort", () => {
            aborted();
            reject(init.signal?.reason);
          });
        }),
    });
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

  test.each(["ws", "sse"] as const)(
    "is left for a fresh one of its kind where %s is the only transport",
    async (transport) => {
      const { server, states, line, asked, seqs, end } = await setUp({ transport });
      line().mute = true;
      server.grow(9);
      await pass(12.1);
      expect(asked()).toEqual([`${transport} 0`, `${transport} 4`]);
      expect(seqs()).toEqual(ONCE.slice(0, 9));
      await end();
      expect(seqs()).toEqual(ONCE);
      expect(states).toEqual(["connecting null", `open ${transport}`, `idle ${transport}`]);
    },
  );

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
    await pass(1.1);
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
      server.weather.ws = "hang";
      for (; client.status.transport === "ws"; seconds++) await pass(1);
      server.weather.ws = "ok";
      expect(seconds).toBeLessThan(15);
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
    // Silent from 4 s on: a try begins at 15 s, the silence is noticed at 16 s.
    await pass(11.9);
    expect(asked()).toEqual(["ws 6"]);
    await pass(0.2);
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
