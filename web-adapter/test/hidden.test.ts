import { describe, expect, test, vi } from "vitest";
import { document, happens, ONCE, pass, setUp } from "./page.ts";

/** The tab goes into the background, or comes back. */
function hide(hidden = true): void {
  document.hidden = hidden;
  happens("visibilitychange");
}

describe("a hidden tab", () => {
  test("lets go of its SSE stream after a moment, says so, and goes on at the cursor once it is seen", async () => {
    const { server, client, states, asked, seqs, end } = await setUp({ transport: "sse" });
    hide();
    await pass(2.9);
    expect(server.lines.size).toBe(1);
    await pass(0.2);
    expect(server.lines.size).toBe(0);
    expect(client.status.state).toBe("asleep");
    server.grow(9);
    await pass(600);
    expect(asked()).toEqual(["sse 0"]);
    hide(false);
    await pass(0);
    expect(asked()).toEqual(["sse 4"]);
    expect(seqs()).toEqual(ONCE.slice(0, 9));
    await end();
    expect(seqs()).toEqual(ONCE);
    expect(states).toEqual(["connecting null", "open sse", "asleep sse", "open sse", "idle sse"]);
  });

  test("that is seen again in time keeps its stream", async () => {
    const { client, asked, end } = await setUp({ transport: "sse" });
    for (let n = 0; n < 5; n++) {
      hide();
      await pass(2);
      hide(false);
      await pass(2);
    }
    expect(client.status.state).toBe("open");
    expect(asked()).toEqual(["sse 0"]);
    await end();
  });

  test("keeps its WebSocket, which does not count against the six connections", async () => {
    const { client, asked, end } = await setUp();
    hide();
    await pass(60);
    expect(client.status.state).toBe("open");
    expect(asked()).toEqual(["ws 0"]);
    await end();
  });

  test("lets go of the fallback, and tries the WebSocket again when it is seen", async () => {
    const { server, client, asked, end } = await setUp({}, { weather: { ws: "refuse" } });
    hide();
    await pass(60);
    expect(client.status).toMatchObject({ state: "asleep", transport: "sse" });
    expect(asked()).toEqual(["ws 0", "sse 0"]);
    server.weather.ws = "ok";
    hide(false);
    await pass(0);
    await vi.waitFor(() => expect(client.status).toMatchObject({ state: "open", transport: "ws" }));
    await end();
  });

  test("that was opened in the background lets go as well", async () => {
    document.hidden = true;
    const { server, client, stop } = await setUp({ transport: "sse" });
    expect(client.status.state).toBe("open");
    await pass(3.1);
    expect(server.lines.size).toBe(0);
    await stop();
  });

  test("gives commands by POST while it is asleep", async () => {
    const { server, client, stop } = await setUp({ transport: "sse" });
    hide();
    await pass(4);
    await client.pause(server.run);
    expect(server.effects).toMatchObject([{ cmd: "pause" }]);
    await stop();
  });

  test("that is left while it is asleep leaves nothing behind", async () => {
    const { client, stop } = await setUp({ transport: "sse" });
    hide();
    await pass(4);
    await stop();
    expect(client.status.state).toBe("idle");
  });
});

describe("a browser without a network", () => {
  const online = (onLine: boolean) => {
    vi.stubGlobal("navigator", { onLine });
    happens(onLine ? "online" : "offline");
  };

  test("is found out at once, said, not hurried after, and left behind when it is back", async () => {
    const { server, states, asked, seqs, line, end } = await setUp({ random: () => 0.5 });
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    line().mute = true;
    asked();
    online(false);
    await pass(0);
    expect(states.at(-1)).toBe("offline ws");
    await pass(120);
    expect(asked().length).toBeLessThan(70);
    expect(states.at(-1)).toBe("offline ws");
    Object.assign(server.weather, { ws: "ok", http: "ok" });
    server.grow(9);
    online(true);
    await pass(0);
    expect(asked()).toEqual(["ws 4"]);
    expect(seqs()).toEqual(ONCE.slice(0, 9));
    await end();
    expect(states).toEqual(["connecting null", "open ws", "offline ws", "open ws", "idle ws"]);
  });

  test("still reaches a sidecar on the same machine: nothing is lost and nothing is said", async () => {
    const { states, seqs, end } = await setUp();
    online(false);
    await pass(30);
    online(true);
    await end();
    expect(seqs()).toEqual(ONCE);
    expect(states).toEqual(["connecting null", "open ws", "idle ws"]);
  });
});
