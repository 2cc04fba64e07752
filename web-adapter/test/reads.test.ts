import { expect, test, vi } from "vitest";
import { createCrewClient, CrewError, type CrewClient, type CrewClientOptions } from "../src/index.ts";
import { nothing } from "./fakeServer.ts";

/** A client of a sidecar that gives the same answer to whatever is asked, and what it was asked. */
function setUp(answer: () => Response | Promise<Response>, options: Partial<CrewClientOptions> = {}) {
  const asked: string[] = [];
  const fetch = vi.fn(async (url: RequestInfo | URL, { method, body }: RequestInit = {}) => {
    asked.push(`${method} ${url as string}${body ? ` ${body as string}` : ""}`);
    // A run that has ended.
    return (url as string).includes("/sse") ? nothing() : answer();
  });
  return { asked, fetch, client: createCrewClient({ url: "http://sidecar.test/", fetch, ...options }) };
}
const json = (body: object, status = 200) => Response.json(body, { status });

test.each<[string, object, (client: CrewClient) => Promise<unknown>, unknown]>([
  ["GET http://sidecar.test/runs", { runs: [], next: null }, (client) => client.runs(), { runs: [], next: null }],
  [
    "GET http://sidecar.test/runs?state=running&limit=5",
    { runs: [] },
    (client) => client.runs({ state: "running", limit: 5, signal: new AbortController().signal }),
    { runs: [] },
  ],
  [
    "GET http://sidecar.test/runs?state=live%2Cfailed&crew=blog&q=tea+shop&before=r_9&brief=true&counts=true",
    { runs: [] },
    (client) =>
      client.runs({ state: ["live", "failed"], crew: "blog", q: "tea shop", before: "r_9", brief: true, counts: true }),
    { runs: [] },
  ],
  [
    "GET http://sidecar.test/runs?limit=5&brief=false",
    { runs: [] },
    (client) => client.runs({ state: undefined, limit: 5, brief: false }),
    { runs: [] },
  ],
  ["GET http://sidecar.test/runs/r_1", { run: "r_1" }, (client) => client.get("r_1"), { run: "r_1" }],
  ["GET http://sidecar.test/prices", { models: {} }, (client) => client.prices(), { models: {} }],
  ["GET http://sidecar.test/crews", { crews: [1] }, (client) => client.crews(), [1]],
  [
    "GET http://sidecar.test/threads?limit=2&before=t_9",
    { threads: [], next: null },
    (client) => client.threads({ limit: 2, before: "t_9" }),
    { threads: [], next: null },
  ],
  ["GET http://sidecar.test/threads/t_1", { runs: [] }, (client) => client.thread("t_1"), { runs: [] }],
  [
    'PATCH http://sidecar.test/threads/t_1 {"title":"Tea"}',
    { title: "Tea" },
    (client) => client.rename("t_1", "Tea"),
    { title: "Tea" },
  ],
])("%s", async (request, body, ask, told) => {
  const { client, asked } = setUp(() => json(body));
  expect(await ask(client)).toEqual(told);
  expect(asked).toEqual([request]);
});

test("what is deleted is a thread or a run, and there is no answer to it", async () => {
  const { client, asked } = setUp(nothing);
  expect(await client.remove({ thread: "t_1" })).toBe(undefined);
  expect(await client.remove({ run: "r_1" })).toBe(undefined);
  expect(asked).toEqual(["DELETE http://sidecar.test/threads/t_1", "DELETE http://sidecar.test/runs/r_1"]);
});

test("a refusal is the server's own, and what no sidecar said is unreachable", async () => {
  const error = { code: "illegal_state", message: "r_1 is live", temporary: false };
  await expect(setUp(() => json({ error }, 409)).client.remove({ run: "r_1" })).rejects.toMatchObject(error);
  const pages = [
    () => new Response("<h1>Bad Gateway</h1>", { status: 502 }),
    () => new Response("<h1>Sign in</h1>"),
    () => Promise.reject(new TypeError("fetch failed")),
  ];
  for (const page of pages)
    await expect(setUp(page).client.runs()).rejects.toMatchObject({ code: "unreachable", temporary: true });
});

test("a signal ends a read with its reason, and one that gets no answer has a bound", async () => {
  const never = () => new Promise<Response>(() => {});
  const controller = new AbortController();
  const reading = setUp(never).client.get("r_1", { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(reading).rejects.toThrow("enough");
  await expect(setUp(never, { limits: { silence: 20 } }).client.get("r_1")).rejects.toMatchObject({ code: "lost" });
});

test("headers are asked for before each request, and go with a command, a read and a stream", async () => {
  let n = 0;
  const headers = async () => ({ authorization: `Bearer ${++n}` });
  const { client, fetch } = setUp(() => json({ type: "command.ack", ok: true, run: "r_1" }), {
    headers,
    transport: "sse",
  });
  await client.start({});
  await client.runs();
  await client.follow("r_1").next();
  expect(fetch.mock.calls.map(([url, init]) => [url, init?.headers])).toEqual([
    ["http://sidecar.test/control", { "content-type": "application/json", authorization: "Bearer 1" }],
    ["http://sidecar.test/runs", { authorization: "Bearer 2" }],
    ["http://sidecar.test/sse?run=r_1", { authorization: "Bearer 3" }],
  ]);
});

test("no answer is taken from a cache, nor a stream: Next's fetch keeps them in a Server Component", async () => {
  const { client, fetch } = setUp(() => json({ type: "command.ack", ok: true }), { transport: "sse" });
  await client.cancel("r_1");
  await client.get("r_1");
  await client.follow("r_1").next();
  expect(fetch.mock.calls.map(([, init]) => init?.cache)).toEqual(["no-store", "no-store", "no-store"]);
});

test("headers that cannot be had are an error that says why", async () => {
  const { client, fetch } = setUp(() => json({}), { headers: () => Promise.reject(new Error("sign in first")) });
  const refusal = { code: "unauthorized", message: "sign in first", temporary: true };
  await expect(client.runs()).rejects.toMatchObject(refusal);
  await expect(client.start({})).rejects.toMatchObject(refusal);
  expect(fetch).not.toHaveBeenCalled();
});

test("a CrewError of the page's own is passed on as it is, and one that is not temporary ends what is followed", async () => {
  const error = new CrewError({ code: "signed_out", message: "Your session is over.", temporary: false });
  const refused = { headers: () => Promise.reject(error), getTicket: () => Promise.reject(error) };
  for (const transport of ["ws", "sse"] as const) {
    const { client } = setUp(() => json({}), { ...refused, transport });
    await expect(client.runs()).rejects.toBe(error);
    await expect(client.cancel("r_1")).rejects.toBe(error);
    await expect(client.follow("r_1").next()).rejects.toBe(error);
  }
});
