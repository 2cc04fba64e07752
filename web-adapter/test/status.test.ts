import { expect, test } from "vitest";
import { createCrewClient, CrewError, type ConnectionStatus } from "../src/index.ts";
import { statusOf } from "../src/status.ts";
import { fakeServer, logOf } from "./fakeServer.ts";
import { LOG, pass } from "./page.ts";

const error = new CrewError({ code: "lost", message: "broke", temporary: true });
const one = (state: ConnectionStatus["state"], more: Partial<ConnectionStatus> = {}): ConnectionStatus => ({
  state,
  transport: "ws",
  trouble: null,
  error: null,
  retryAt: null,
  ...more,
});

test("without followers there is nothing to say but what was used last", () => {
  expect(statusOf([], "sse")).toEqual(one("idle", { transport: "sse" }));
});

test.each([
  ["offline", "reconnecting"],
  ["reconnecting", "asleep"],
  ["reconnecting", "open"],
  ["asleep", "open"],
  ["open", "connecting"],
] as const)("%s counts before %s, with its reason and its next try", (worse, better) => {
  const followers = [one(better), one(worse, { transport: "sse", error, retryAt: 7 }), one(better)];
  expect(statusOf(followers, "ws")).toEqual(followers[1]);
});

test("trouble is heard from any that has heard of it", () => {
  const disk = { trouble: "disk full" };
  expect(statusOf([one("open"), one("open", disk)], "ws")).toEqual(one("open", disk));
});

test("a follower that breaks says so for as long as it is followed, and takes it with it", async () => {
  const server = fakeServer(logOf("r_a", LOG), logOf("r_b", LOG));
  server.hold(4, "r_a");
  server.hold(4, "r_b");
  server.weather.trouble = "disk full";
  const client = createCrewClient({ ...server.options, transport: "sse", random: () => 0.5 });
  const a = client.follow("r_a");
  await a.next();
  const line = [...server.lines][0]!;
  const b = client.follow("r_b");
  await b.next();
  await pass(0);
  server.weather.http = "refuse";
  line.broken = true;
  server.stir();
  await pass(0);
  expect(client.status).toMatchObject({
    state: "reconnecting",
    trouble: "disk full", // B's word, not A's.
    error: { code: "lost" },
    retryAt: Date.now() + 125,
  });
  await pass(1);
  expect(client.status.error).toMatchObject({
    code: "unreachable",
    message: "No sidecar answers at http://sidecar.test.",
  });
  await a.return();
  expect(client.status).toMatchObject({ state: "open", transport: "sse", error: null, retryAt: null });
  for (const line of server.lines) line.broken = true;
  server.stir();
  await pass(0);
  expect(client.status).toMatchObject({ state: "reconnecting", trouble: null });
  await b.return();
  expect(client.status.state).toBe("idle");
});

test("who waits to reconnect tries at once when told to", async () => {
  const server = fakeServer(LOG);
  server.hold(4);
  const client = createCrewClient({ ...server.options, random: () => 0.999 });
  Object.assign(server.weather, { ws: "refuse", http: "refuse" });
  const frames = client.follow(server.run);
  const first = frames.next();
  await pass(60);
  expect(client.status.retryAt).toBeGreaterThan(Date.now());
  Object.assign(server.weather, { ws: "ok", http: "ok" });
  client.reconnect();
  expect(client.status).toMatchObject({ state: "reconnecting", retryAt: null });
  await first;
  expect(client.status.state).toBe("open");
  await frames.return();
});
