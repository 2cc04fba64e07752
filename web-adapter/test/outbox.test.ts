import { describe, expect, test } from "vitest";
import { CrewError, type Ack, type PendingCommand } from "../src/index.ts";
import { happens, pass, setUp } from "./page.ts";

/** The longest waits there are. */
const random = () => 0.999;

/** The sidecar is gone, with its connections. */
const goAway = ({ server }: Awaited<ReturnType<typeof setUp>>) => {
  Object.assign(server.weather, { ws: "refuse", http: "refuse" });
  for (const line of server.lines) line.broken = true;
  server.stir();
};
const comeBack = ({ server }: Awaited<ReturnType<typeof setUp>>) =>
  Object.assign(server.weather, { ws: "ok", http: "ok" });
const told = (pending: readonly PendingCommand[]) =>
  pending.map(({ command, unconfirmed }) => `${command.cmd}${unconfirmed ? " unconfirmed" : ""}`);
/** What has become of a command so far. */
function outcome(ack: Promise<Ack>) {
  const seen: { is: string } = { is: "open" };
  ack.then(
    () => (seen.is = "acked"),
    (error: CrewError) => (seen.is = error.code ?? String(error)),
  );
  return seen;
}

describe.each(["ws", "sse"] as const)("over %s", (transport) => {
  test("a Stop that finds no sidecar is kept, said to be unconfirmed, and sent when a connection opens", async () => {
    const page = await setUp({ transport, random });
    const { client, server } = page;
    goAway(page);
    await pass(3);
    const cancel = client.cancel(server.run, "enough", { id: "c-1" });
    const stop = outcome(cancel);
    expect(told(client.pending)).toEqual(["cancel"]);
    await pass(60);
    expect(stop.is).toBe("open");
    expect(client.pending).toMatchObject([
      { id: "c-1", command: { cmd: "cancel", run: server.run, reason: "enough" }, unconfirmed: true },
    ]);
    comeBack(page);
    while (client.status.state !== "open") {
      expect(stop.is).toBe("open");
      await pass(0.01);
    }
    await pass(0);
    expect(await cancel).toMatchObject({ ok: true, id: "c-1" });
    expect(client.pending).toEqual([]);
    expect(server.effects).toMatchObject([{ id: "c-1", cmd: "cancel" }]);
    await page.end();
  });

  test("kept commands of a run go in their order, and those of another run do not wait for them", async () => {
    const page = await setUp({ transport, random });
    const { client, server } = page;
    server.weather.refused = { answer: "already_answered" };
    goAway(page);
    await pass(0);
    const { run } = server;
    const acks = [
      outcome(client.pause(run)),
      outcome(client.answer(run, "in_1", "yes")),
      outcome(client.resume(run)),
      outcome(client.cancel("r_other")),
    ];
    await pass(30);
    expect(told(client.pending)).toEqual([
      "pause unconfirmed",
      "answer unconfirmed",
      "resume unconfirmed",
      "cancel unconfirmed",
    ]);
    comeBack(page);
    await pass(11);
    expect(acks.map(({ is }) => is)).toEqual(["acked", "already_answered", "acked", "unknown_run"]);
    expect(server.effects.map(({ cmd }) => cmd)).toEqual(["pause", "resume"]);
    expect(client.pending).toEqual([]);
    await page.end();
  });
});

test("a resume waits for the pause before it, though the network would let it overtake", async () => {
  const page = await setUp({ random });
  const { client, server } = page;
  server.weather.loseAcks = 1;
  const acks = [client.pause(server.run), client.resume(server.run)];
  await pass(0.5);
  expect(server.requests.map(({ body }) => body?.cmd).filter(Boolean)).toEqual(["pause"]);
  await pass(1);
  await Promise.all(acks);
  expect(server.effects.map(({ cmd }) => cmd)).toEqual(["pause", "resume"]);
  await page.end();
});

test("a command on a half-dead socket goes by POST after a second, under its id, and the first answer counts", async () => {
  const page = await setUp({ random });
  const { client, server } = page;
  server.weather.loseAcks = 1;
  const cancel = outcome(client.cancel(server.run));
  page.asked();
  await pass(0.99);
  expect([cancel.is, told(client.pending)]).toEqual(["open", ["cancel"]]);
  const ids = () => server.requests.flatMap(({ body }) => body?.id ?? []);
  await pass(0.02);
  expect(cancel.is).toBe("acked");
  expect(server.requests.map(({ via }) => via)).toEqual(["post"]);
  expect(ids()).toEqual([server.effects[0]!.id]);
  expect(server.effects).toHaveLength(1);
  await page.end();
});

test("waits between tries grow, and are ten seconds at most", async () => {
  const sent: number[] = [];
  const debug = (message: string) => message.endsWith("sent") && sent.push(Date.now());
  const page = await setUp({ transport: "sse", random, debug });
  goAway(page);
  await pass(0);
  const cancel = outcome(page.client.cancel(page.server.run));
  await pass(60);
  const waits = sent.slice(1).map((at, n) => Math.round((at - sent[n]!) / 10) / 100);
  expect(waits.slice(0, 8)).toEqual([0.25, 0.5, 1, 2, 4, 7.99, 9.99, 9.99]);
  expect(cancel.is).toBe("open");
  comeBack(page);
  await pass(10);
  expect(cancel.is).toBe("acked");
  await page.end();
});

test("at most so many are kept, and one more is refused as busy", async () => {
  const page = await setUp({ random, limits: { outstanding: 2 } });
  goAway(page);
  await pass(0);
  const { client, server } = page;
  const acks = [client.pause(server.run), client.cancel(server.run)].map(outcome);
  await expect(client.resume(server.run)).rejects.toMatchObject({ code: "busy", temporary: true });
  expect(told(client.pending)).toEqual(["pause", "cancel"]);
  comeBack(page);
  await pass(11);
  expect(acks).toEqual([{ is: "acked" }, { is: "acked" }]);
  await page.end();
});

test("a signal gives a kept command up, wherever it waits, and those behind it go on", async () => {
  const page = await setUp({ random });
  goAway(page);
  await pass(0);
  const { client, server } = page;
  const [first, second] = [new AbortController(), new AbortController()];
  const acks = [
    client.pause(server.run, { signal: first.signal }),
    client.resume(server.run, { signal: second.signal }),
    client.cancel(server.run),
  ].map(outcome);
  await pass(5);
  second.abort(new Error("never mind"));
  first.abort(new Error("nor this"));
  await pass(0);
  expect(acks.map(({ is }) => is)).toEqual(["Error: nor this", "Error: never mind", "open"]);
  expect(told(client.pending)).toEqual(["cancel unconfirmed"]);
  comeBack(page);
  await pass(10);
  expect(server.effects.map(({ cmd }) => cmd)).toEqual(["cancel"]);
  await page.end();
});

test("a start and a modification are given up as before, unless they are to be kept; a Stop may be given up", async () => {
  const page = await setUp({ random });
  goAway(page);
  await pass(0);
  const { client, server } = page;
  const { run } = server;
  const acks = [
    client.modify(run, { instruction: "shorter" }),
    client.modify(run, { instruction: "longer" }, { keep: true }),
    client.cancel(run, "enough", { keep: false }),
  ].map(outcome);
  expect(told(client.pending)).toEqual(["modify"]);
  await pass(3);
  expect(acks.map(({ is }) => is)).toEqual(["unreachable", "open", "unreachable"]);
  comeBack(page);
  await pass(10);
  expect(server.effects).toMatchObject([{ cmd: "modify", instruction: "longer" }]);
  await page.end();
});

test("a kept command outlives a refusal for the time being, and a ticket that cannot be had", async () => {
  let signedIn = false;
  const getTicket = async () => {
    if (!signedIn) throw new Error("sign in first");
    return "t";
  };
  const page = await setUp({ transport: "sse", random, getTicket });
  const { client, server } = page;
  const pause = outcome(client.pause(server.run));
  await pass(30);
  expect([pause.is, told(client.pending)]).toEqual(["open", ["pause unconfirmed"]]);
  signedIn = true;
  server.weather.refused = { pause: "unavailable" };
  client.reconnect();
  await pass(0);
  expect([pause.is, server.requests.at(-1)?.body?.cmd]).toEqual(["open", "pause"]);
  server.weather.refused = {};
  client.reconnect();
  await pass(0);
  expect(pause.is).toBe("acked");
  await pass(10);
  await page.end();
});

test("listeners hear each change of what is pending, which is another array each time", async () => {
  const page = await setUp({ random });
  const { client, server } = page;
  const heard: (readonly PendingCommand[])[] = [];
  const leave = client.subscribe(() => heard.push(client.pending));
  await client.pause(server.run);
  leave();
  expect(heard.map(told)).toEqual([["pause"], []]);
  expect(client.pending).toBe(heard[1]);
  await page.end();
});

test.each(["online", "pageshow"])("%s sends what is kept at once", async (type) => {
  const page = await setUp({ random });
  const { client, server } = page;
  goAway(page);
  await pass(0);
  const cancel = outcome(client.cancel(server.run));
  await pass(30);
  comeBack(page);
  happens(type);
  await pass(0);
  expect(cancel.is).toBe("acked");
  await page.end();
});

test("debug is told of each connection and each command, in lines that have no ticket in them", async () => {
  const lines: string[] = [];
  const page = await setUp({
    random,
    getTicket: async () => "secret",
    debug: (message, detail) => {
      lines.push([message, ...(detail instanceof CrewError ? [detail.code] : [])].join(" "));
      expect(message + JSON.stringify(detail)).not.toContain("secret");
    },
  });
  const { client, server } = page;
  server.weather.refused = { resume: "illegal_state" };
  await client.pause(server.run, { id: "c-1" });
  await expect(client.resume(server.run, { id: "c-2" })).rejects.toMatchObject({ code: "illegal_state" });
  server.resetNext("epoch");
  goAway(page);
  await pass(0);
  comeBack(page);
  await pass(1);
  await page.end();
  expect(lines).toEqual([
    "connection connecting",
    "connection open",
    "pause c-1 sent",
    "pause c-1 acked",
    "resume c-2 sent",
    "resume c-2 failed illegal_state",
    "connection reconnecting",
    "connection reconnecting",
    "connection open",
    `reset ${server.run} epoch`,
    "connection idle",
  ]);
});
