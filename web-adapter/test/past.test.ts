import { describe, expect, test } from "vitest";
import { createCrewClient, CrewError, type RunEvent } from "../src/index.ts";
import { CHAT_ID, loadThread, type LostRun, type PastRun } from "../src/past.ts";
import { fakeServer, logOf } from "./fakeServer.ts";
import { eventsOf } from "./vectors.ts";

const LOG = eventsOf("completed");
const lost = () => new CrewError({ code: "lost", message: "Too slow.", temporary: true });

/** A thread `t` of runs `r_0`, `r_1`, …, all of them finished. */
function setUp(runs: number, log: readonly RunEvent[] = LOG) {
  const ids = Array.from({ length: runs }, (_, n) => `r_${n}`);
  const [first = [], ...later] = ids.map((run) => logOf(run, log));
  const server = fakeServer(first, ...later);
  server.remember("t", ...ids);
  return { server, client: createCrewClient({ ...server.options, random: () => 0 }) };
}

/** Whose logs were asked for, in that order. */
const read = ({ requests }: ReturnType<typeof fakeServer>) => [
  ...new Set(requests.flatMap(({ run, after }) => (run && after !== undefined ? [run] : []))),
];

async function all(told: AsyncIterable<PastRun | LostRun>) {
  const runs: (PastRun | LostRun)[] = [];
  for await (const run of told) runs.push(run);
  return runs;
}

const short = (run: PastRun | LostRun) => [run.run, "error" in run ? run.error.code : run.view.state];

describe("a thread's runs", () => {
  test("come newest first, each with what it follows, its inputs and its view", async () => {
    const { client } = setUp(6);
    const runs = await all(loadThread(client, "t", new AbortController()));
    expect(runs.map(short)).toEqual([5, 4, 3, 2, 1, 0].map((n) => [`r_${n}`, "completed"]));
    const inputs = { message: "Coffee in Lisbon" };
    expect(runs[5]).toMatchObject({ after: null, inputs, live: false, said: [] });
    expect(runs[4]).toMatchObject({ after: "r_0", inputs, view: { output: "Up and up" } });
  });

  test("are read four at a time, and the one that is asked for next is among them", async () => {
    const { server, client } = setUp(9);
    const { signal } = new AbortController();
    const told = loadThread(client, "t", { signal });
    await told.next();
    const asked = () => read(server);
    expect(asked()).toEqual(["r_8", "r_7", "r_6", "r_5"]);
    await told.next();
    await expect.poll(asked).toEqual(["r_8", "r_7", "r_6", "r_5", "r_4"]);
  });

  test("that are live are told as far as they are, with what was sent to them in the chat", async () => {
    const said = (cause: string, n: number, type: string, data: object) =>
      ({ ...LOG[6]!, type, seq: 7 + n, id: `k3f9-7${n}`, cause, data }) as RunEvent;
    const log = [
      ...LOG.slice(0, 6),
      said(`${CHAT_ID}1`, 0, "run.modifying", { instruction: "Mention the harbour" }),
      said("1-2-3-4", 1, "run.modifying", { instruction: "not said in the chat" }),
      said(`${CHAT_ID}2`, 2, "input.answered", { input: "i_1", text: "Shorter" }),
    ];
    const { server, client } = setUp(1, log);
    const [run] = await all(loadThread(client, "t", new AbortController()));
    expect(run).toMatchObject({
      live: true,
      view: { state: "running", seq: 9 },
      said: [
        [`${CHAT_ID}1`, "Mention the harbour"],
        [`${CHAT_ID}2`, "Shorter"],
      ],
    });
    expect(server.lines.size).toBe(0);
  });

  test("that the sidecar no longer keeps are given with its words, and the others are told", async () => {
    const { server, client } = setUp(2);
    server.remember("t", "r_0", "r_gone", "r_1");
    const runs = await all(loadThread(client, "t", new AbortController()));
    expect(runs.map(short)).toEqual([
      ["r_1", "completed"],
      ["r_gone", "unknown_run"],
      ["r_0", "completed"],
    ]);
    expect(runs[1]).toMatchObject({ after: "r_0", inputs: { message: "Coffee in Lisbon" } });
  });

  test("of before the newest twenty are as their snapshots say, and no log is read for them", async () => {
    const { server, client } = setUp(25);
    const runs = await all(loadThread(client, "t", new AbortController()));
    expect(runs).toHaveLength(25);
    expect(read(server)).toHaveLength(20);
    expect(runs[24]).toMatchObject({
      run: "r_0",
      live: false,
      view: { state: "completed", output: "Up and up", steps: [] },
    });
  });

  test("that were not told in time are given with the reason, those before them as they were", async () => {
    const { server, client } = setUp(6);
    const late = new AbortController();
    const told = loadThread(client, "t", { signal: late.signal });
    const first = await told.next();
    Object.assign(server.weather, { ws: "hang", http: "hang" });
    const rest = all(told);
    late.abort(lost());
    const runs = [first.value as PastRun, ...(await rest)];
    expect(runs.map(short)[0]).toEqual(["r_5", "completed"]);
    expect(runs.map(short).slice(-2)).toEqual([
      ["r_1", "lost"],
      ["r_0", "lost"],
    ]);
    expect(runs).toHaveLength(6);
  });

  test("are let go of when nobody wants to know any more", async () => {
    const { server, client } = setUp(3);
    server.weather.live = false;
    server.hold(2, "r_1");
    const left = new AbortController();
    const told = loadThread(client, "t", { signal: left.signal });
    await told.next();
    const next = told.next();
    left.abort(new DOMException("left", "AbortError"));
    await expect(next).rejects.toBe(left.signal.reason);
    await expect.poll(() => server.lines.size).toBe(0);
  });
});
