import { describe, expect, test, vi } from "vitest";
import { createCrewClient, emptyRun, reduce, snapshots, type Frame, type RunView } from "../src/index.ts";
import { fakeServer } from "./fakeServer.ts";
import { LOG, pass, setUp } from "./page.ts";

/** The views of a run, as a page gets them. */
async function watched(options: Parameters<typeof setUp>[0] = {}) {
  const page = await setUp(options);
  await page.stop();
  const views = snapshots(page.client.follow(page.server.run));
  const seen: RunView[] = [];
  const reading = (async () => {
    for await (const view of views) seen.push(view);
  })();
  await pass(1);
  return { ...page, views, reading, seqs: () => seen.map(({ seq }) => seq), last: () => seen.at(-1) };
}

test("an event after a silence is shown in the task in which it came, the next ones once a frame of the display", async () => {
  const { server, seqs, reading } = await watched();
  const before = seqs().length;
  const shown = () => seqs().slice(before);
  server.grow(5);
  await pass(0);
  expect(shown()).toEqual([5]);
  for (const head of [6, 7, 8]) {
    server.grow(head);
    await pass(0.005);
  }
  expect(shown()).toEqual([5]);
  await pass(0.001);
  expect(shown()).toEqual([5, 8]);
  server.grow(9);
  await pass(0);
  expect(shown()).toEqual([5, 8]);
  await pass(0.016);
  expect(shown()).toEqual([5, 8, 9]);
  server.grow();
  await pass(0.016);
  await reading;
});

test("what is known already is given first, and a burst in few views, with the last one", async () => {
  const server = fakeServer(LOG);
  const known = LOG.slice(0, 3).reduce(reduce, emptyRun);
  const views: RunView[] = [];
  const reading = (async () => {
    const frames = createCrewClient(server.options).follow(server.run, { after: LOG[2]!.id });
    for await (const view of snapshots(frames, 16, known)) views.push(view);
  })();
  await pass(0.02);
  await reading;
  expect(views[0]).toBe(known);
  expect(views.length).toBeLessThan(5);
  expect(views.at(-1)).toEqual(LOG.reduce(reduce, emptyRun));
});

test("an error is passed on after the last view", async () => {
  const server = fakeServer(LOG);
  Object.assign(server.weather, { closeCode: 4500, breakAfter: 4 });
  let seq = 0;
  const reading = (async () => {
    for await (const view of snapshots(createCrewClient(server.options).follow(server.run))) seq = view.seq;
  })();
  reading.catch(() => {});
  await pass(0.02);
  await expect(reading).rejects.toMatchObject({ code: "closed" });
  expect(seq).toBe(4);
});

describe("a reader that leaves the snapshots", () => {
  test.each(["ws", "sse"] as const)("has closed the connection before it goes on (%s)", async (transport) => {
    const server = fakeServer(LOG);
    server.hold(6);
    const client = createCrewClient({ ...server.options, transport });
    const reading = (async () => {
      for await (const { seq } of snapshots(client.follow(server.run))) if (seq === 6) break;
      return server.sockets.size + server.lines.size;
    })();
    await pass(0.05);
    expect(await reading).toBe(0);
    expect(client.status.state).toBe("idle");
    expect(vi.getTimerCount()).toBe(0);
  });

  test("while they wait for an event ends them at once", async () => {
    const { server, client, views, reading } = await watched();
    expect(client.status.state).toBe("open");
    const left = views.return();
    expect(server.sockets.size).toBe(0);
    expect(await left).toEqual({ done: true, value: undefined });
    await reading;
    expect(client.status.state).toBe("idle");
  });

  test("before they begin asks for nothing", async () => {
    const server = fakeServer(LOG);
    const views = snapshots(createCrewClient(server.options).follow(server.run));
    await views.return();
    expect(await views.next()).toEqual({ done: true, value: undefined });
    expect(server.requests).toEqual([]);
  });

  test("closes frames of any kind", async () => {
    let closed = false;
    async function* frames(): AsyncGenerator<Frame, void> {
      try {
        yield* LOG;
      } finally {
        closed = true;
      }
    }
    const views = snapshots(frames());
    await views.next();
    await expect(views.throw(new Error("no more"))).rejects.toThrow("no more");
    await pass(0);
    expect(closed).toBe(true);
  });
});
