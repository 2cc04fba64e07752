// @vitest-environment jsdom
import { act } from "react";
import { describe, expect, test, vi } from "vitest";
import type { CrewAdapterOptions } from "../../src/react/index.ts";
import { fakeServer, logOf } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";
import { localChat as chat, clientOf, edit, leave, reads, until, type Chat } from "./mount.tsx";

const FIRST = eventsOf("completed");
const SECOND = logOf("r_02", FIRST);
/** So much of a log has the words "A", and no more. */
const A = 6;

/** A chat whose first message's run has written "A" and is live; `next`: the log of the run after that. */
async function setUp(options: CrewAdapterOptions = {}, next = SECOND) {
  const server = fakeServer(FIRST, next);
  server.hold(A);
  server.hold(A, "r_02");
  const client = clientOf(server);
  const page = await chat(client, options);
  page.send("one");
  await reads(page, "> one", "A (running)");
  const done = () => server.effects.map((effect) => [effect.cmd, "run" in effect ? effect.run : ""].join(" ").trim());
  return { server, client, page, done };
}

describe("a message while a run is live", () => {
  test("steers it by default: the reply before keeps its words, the new one goes on with the same run", async () => {
    const { server, page, done } = await setUp();
    page.send("two");
    await reads(page, "> one", "A (cancelled)", "> two", "A (running)");
    expect(server.effects.at(-1)).toMatchObject({ cmd: "modify", run: server.run, instruction: "two" });
    server.grow();
    await reads(page, "> one", "A (cancelled)", "> two", "Up and up (complete)");
    expect(done()).toEqual(["start", `modify ${server.run}`]);
  });

  test("never shows less than was there already", async () => {
    const { page } = await setUp();
    const shown: string[] = [];
    page.thread.subscribe(() => shown.push(page.told().at(-1)!));
    page.send("two");
    await until(() => expect(shown.at(-1)).toBe("A (running)"));
    const replies = shown.slice(shown.lastIndexOf("> two") + 1);
    expect(new Set(replies)).toEqual(new Set([" (running)", "A (running)"]));
  });

  test("answers the crew's open question", async () => {
    const asking = eventsOf("waiting for an answer");
    const server = fakeServer(asking);
    const page = await chat(clientOf(server));
    page.send("one");
    await until(() => expect(page.last().content[0]).toMatchObject({ data: { state: "waiting" } }));
    page.send("Shorter");
    await until(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "answer", run: server.run, text: "Shorter" }));
    expect(page.messages()).toHaveLength(4);
  });

  test.each(["already_answered", "illegal_state"])(
    "is an instruction when the question has been answered meanwhile (%s)",
    async (code) => {
      const server = fakeServer(eventsOf("waiting for an answer"));
      server.weather.refused.answer = code;
      const page = await chat(clientOf(server));
      page.send("one");
      await until(() => expect(page.last().content[0]).toMatchObject({ data: { state: "waiting" } }));
      page.send("Shorter");
      await until(() => expect(server.effects.at(-1)).toMatchObject({ cmd: "modify", instruction: "Shorter" }));
    },
  );

  test("starts a run of its own when the live one has ended meanwhile", async () => {
    const { server, page, done } = await setUp();
    server.weather.refused.modify = "illegal_state";
    server.grow(Infinity, "r_02");
    page.send("two");
    await reads(page, "> one", "A (cancelled)", "> two", "Up and up (complete)");
    expect(done()).toEqual(["start", "start"]);
  });

  test("is told why it was refused, when it was, and the live run is told on to its end", async () => {
    const { server, page } = await setUp();
    server.weather.refused.modify = "too_large";
    page.send("two");
    await reads(page, "> one", "A (cancelled)", "> two", "modify is refused|A (running)");
    server.grow();
    await reads(page, "> one", "A (cancelled)", "> two", "modify is refused|Up and up (error)");
    expect(page.last().status).toMatchObject({ error: "modify is refused" });
    expect(page.last().metadata.custom).toMatchObject({ error: { code: "too_large" } });
  });

  test("and another one: all go to the same run", async () => {
    const { server, page, done } = await setUp();
    page.send("two");
    await reads(page, "> one", "A (cancelled)", "> two", "A (running)");
    page.send("three");
    await reads(page, "> one", "A (cancelled)", "> two", "A (cancelled)", "> three", "A (running)");
    server.grow();
    await reads(page, "> one", "A (cancelled)", "> two", "A (cancelled)", "> three", "Up and up (complete)");
    expect(done()).toEqual(["start", `modify ${server.run}`, `modify ${server.run}`]);
  });

  test("queues: it starts when the live run has ended, whose outcome stays above", async () => {
    const { server, page, done } = await setUp({ whileLive: "queue" });
    page.send("two");
    await reads(page, "> one", "A (cancelled)", "> two", "A (running)");
    expect(done()).toEqual(["start"]);
    server.grow();
    await reads(page, "> one", "A (cancelled)", "> two", "Up and up|A (running)");
    server.grow(Infinity, "r_02");
    await reads(page, "> one", "A (cancelled)", "> two", "Up and up|Up and up (complete)");
    expect(done()).toEqual(["start", "start"]);
  });

  test("queues behind one that is queued", async () => {
    const { server, page, done } = await setUp({ whileLive: "queue" });
    page.send("two");
    await reads(page, "> one", "A (cancelled)", "> two", "A (running)");
    page.send("three");
    await reads(page, "> one", "A (cancelled)", "> two", "A (cancelled)", "> three", "A (running)");
    server.grow();
    server.grow(Infinity, "r_02");
    await until(() => expect(page.told().at(-1)).toBe("Up and up|Up and up|Up and up (complete)"));
    expect(server.effects.map((effect) => "inputs" in effect && effect.inputs)).toEqual([
      { message: "one" },
      { message: "two" },
      { message: "three" },
    ]);
    expect(done()).toEqual(["start", "start", "start"]);
  });

  test("interrupts: the live run is cancelled before the new one starts", async () => {
    const { server, page, done } = await setUp({ whileLive: "interrupt" });
    server.grow(Infinity, "r_02");
    page.send("two");
    await reads(page, "> one", "A (cancelled)", "> two", "Up and up (complete)");
    expect(done()).toEqual(["start", `cancel ${server.run}`, "start"]);
  });

  test("interrupts also what the sidecar no longer knows", async () => {
    const { server, page, done } = await setUp({ whileLive: "interrupt" });
    server.weather.refused.cancel = "unknown_run";
    server.grow(Infinity, "r_02");
    page.send("two");
    await reads(page, "> one", "A (cancelled)", "> two", "Up and up (complete)");
    expect(done()).toEqual(["start", "start"]);
  });

  test("is rejected: it says so at once, and the live run is told on to its end", async () => {
    const { server, page, done } = await setUp({ whileLive: "reject" });
    page.send("two");
    const why =
      "Not sent: the crew is still at the message before. Send it again when the crew is done, or stop the crew first.";
    await reads(page, "> one", "A (cancelled)", "> two", `${why}|A (running)`);
    server.grow();
    await reads(page, "> one", "A (cancelled)", "> two", `${why}|Up and up (error)`);
    expect(page.last().metadata.custom["error"]).toEqual({ code: "busy", message: why });
    expect(done()).toEqual(["start"]);
  });
});

/** Waits until the reply to the second message tells of a run that has written "A". */
const second = (page: Chat) => until(() => expect(page.told()[3]).toMatch(/A \(running\)$/));

describe.each(["steer", "queue", "interrupt", "reject"] as const)("after a second message (%s)", (whileLive) => {
  test("Stop cancels the run that is live, and nothing more begins", async () => {
    const { server, page, done } = await setUp({ whileLive });
    page.send("two");
    await second(page);
    const before = done();
    const live = whileLive === "interrupt" ? "r_02" : server.run;
    // Whatever the reply before still has to do is done: at its end 0.12.28 forgets how to stop the newest one.
    await act(() => new Promise((resolve) => setImmediate(resolve)));
    act(() => page.thread.cancelRun());
    await until(() => expect(done()).toEqual([...before, `cancel ${live}`]));
    await until(() => expect(page.last().status).toEqual({ type: "incomplete", reason: "cancelled" }));
    expect(page.thread.getState().isRunning).toBe(false);
    server.grow();
    page.send("three");
    await until(() => expect(done()).toEqual([...before, `cancel ${live}`, "start"]));
  });

  test("leaving the page lets go of the run and cancels nothing", async () => {
    const { server, page, done } = await setUp({ whileLive });
    page.send("two");
    await second(page);
    const before = done();
    await leave();
    // What was interrupted is heard to its end.
    if (whileLive === "interrupt") server.grow();
    await vi.waitFor(() => expect(server.lines.size).toBe(0));
    expect(done()).toEqual(before);
  });
});

describe("assistant-ui's own buttons while a run is live", () => {
  test("an edit of the message takes the run's place", async () => {
    const { server, page, done } = await setUp();
    server.grow(Infinity, "r_02");
    await edit(page, 0, "one, better");
    await reads(page, "> one, better", "Up and up (complete)");
    expect(done()).toEqual(["start", `cancel ${server.run}`, "start"]);
  });

  test("a reload of the reply does so too", async () => {
    const { server, page, done } = await setUp();
    server.grow(Infinity, "r_02");
    act(() => page.thread.getMessageByIndex(1).reload());
    await reads(page, "> one", "Up and up (complete)");
    expect(done()).toEqual(["start", `cancel ${server.run}`, "start"]);
  });
});
