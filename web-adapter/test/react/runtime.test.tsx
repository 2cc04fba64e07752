// @vitest-environment jsdom
import { act } from "react";
import { describe, expect, test, vi } from "vitest";
import type { CrewRuntimeOptions } from "../../src/react/index.ts";
import { fakeServer, logOf } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";
import { chat, clientOf, edit, leave, reads, until, type Chat } from "./mount.tsx";

const FIRST = eventsOf("completed");
const SECOND = logOf("r_02", FIRST);
/** So much of a log has the words "A", and no more. */
const A = 6;

function setUp(options: CrewRuntimeOptions = {}, ...logs: (typeof FIRST)[]) {
  const server = fakeServer(FIRST, ...(logs.length ? logs : [SECOND]));
  server.sayWhenLive();
  for (const [run] of [[server.run], ["r_02"]] as const) server.hold(A, run);
  const client = clientOf(server);
  const done = () => server.effects.map((effect) => [effect.cmd, "run" in effect ? effect.run : ""].join(" ").trim());
  return { server, client, done, open: () => chat(client, options) };
}

/** A chat whose first message's run has written "A" and is live. */
async function live(options: CrewRuntimeOptions = {}, ...logs: (typeof FIRST)[]) {
  const all = setUp(options, ...logs);
  const page = await all.open();
  page.send("one");
  await reads(page, "> one", "A (running)");
  return { ...all, page };
}

describe("one message, one run, one reply", () => {
  test("it is told while it is written, and ends with the output", async () => {
    const { server, page } = await live();
    const { id } = page.last();
    server.grow();
    await reads(page, "> one", "Up and up (complete)");
    expect(page.last()).toMatchObject({ id, metadata: { custom: { run: server.run } } });
    expect(page.thread.getState().isRunning).toBe(false);
    const [thread] = server.threads.keys();
    expect(server.effects).toMatchObject([{ cmd: "start", thread, after: "", inputs: { message: "one" } }]);
  });

  test("the next one follows it in the same thread", async () => {
    const { server, page } = await live();
    server.grow();
    await reads(page, "> one", "Up and up (complete)");
    page.send("two");
    await reads(page, "> one", "Up and up (complete)", "> two", "A (running)");
    expect(server.effects.at(-1)).toMatchObject({ cmd: "start", after: server.run });
    expect(server.threads.size).toBe(1);
  });

  test("a reload in mid-run goes on with it at its cursor: no event is asked for twice", async () => {
    const { server, page, open } = await live();
    await leave();
    server.requests.length = 0;
    const next = await open();
    await reads(next, "> one", "A (running)");
    expect(next.thread.getState().isRunning).toBe(true);
    server.grow();
    await reads(next, "> one", "Up and up (complete)");
    const cursors = server.requests.filter(({ via }) => via === "ws").map(({ after }) => after);
    // Read by StrictMode's two mounts, and followed from where the second one has got to.
    expect(cursors.at(-1)).toBe(FIRST[A - 1]!.id);
    expect(cursors.filter((after) => after === null).length).toBeLessThanOrEqual(2);
    expect(server.effects).toHaveLength(1);
    expect(page.messages().length).toBe(2);
  });
});
