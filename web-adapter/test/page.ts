import { afterEach, beforeEach, expect, vi } from "vitest";
import { createCrewClient, type CrewClientOptions, type Frame } from "../src/index.ts";
import { fakeServer, type Line } from "./fakeServer.ts";
import { eventsOf } from "./vectors.ts";

export const LOG = eventsOf("completed");
export const ONCE = LOG.map(({ seq }) => seq);
export const SECOND = 1_000;

export const WAKES = ["pageshow", "online", "visibilitychange"];
export const HEARD = [...WAKES, "offline"];
let page: Map<string, Set<(event: Event) => void>>;
export let document: { hidden: boolean };
export const listeners = () => HEARD.map((type) => page.get(type)!.size);
export const happens = (type: string, more: object = {}) => {
  for (const listener of page.get(type)!) listener(Object.assign(new Event(type), more));
};

beforeEach(() => {
  vi.useFakeTimers();
  page = new Map(HEARD.map((type) => [type, new Set()]));
  document = { hidden: false };
  vi.stubGlobal("document", document);
  // Not an EventTarget: once it collects garbage, Node 20 forgets to remove all but the last of those that
  // share a signal.
  vi.stubGlobal(
    "addEventListener",
    (type: string, listener: (event: Event) => void, { signal }: { signal: AbortSignal }) => {
      page.get(type)!.add(listener);
      signal.addEventListener("abort", () => page.get(type)!.delete(listener));
    },
  );
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  expect(listeners()).toEqual([0, 0, 0, 0]);
});

export const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * SECOND);

/** A follower that has been told the first `told` events, with the server's pings; `end` lets the run finish. */
export async function setUp(options: Partial<CrewClientOptions> = {}, { told = 4, weather = {} } = {}) {
  const server = fakeServer(LOG);
  Object.assign(server.weather, weather);
  server.hold(told);
  const client = createCrewClient({ ...server.options, random: () => 0, ...options });
  const frames: Frame[] = [];
  const states: string[] = [];
  const controller = new AbortController();
  client.subscribe(() => {
    const state = `${client.status.state} ${client.status.transport}`;
    if (state !== states.at(-1)) states.push(state);
  });
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
    /** Each change of the connection's state, as heard by its listeners. */
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
