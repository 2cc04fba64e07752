import { describe, expect, test } from "vitest";
import { createFollow } from "../src/follow.ts";
import { CrewError, type RunEvent } from "../src/index.ts";
import { LIMITS_DEFAULT, type Transport } from "../src/transport.ts";
import { numbers } from "./numbers.ts";
import { happens, HEARD, pass } from "./page.ts";

/**
 * Two transports that open or refuse, stall, die, and speak on after they were closed (what was on
 * its way still arrives), over one log that grows.
 */
function storm(random: () => number, total: number) {
  const event = (seq: number) =>
    ({
      type: "log",
      run: "r",
      seq,
      id: `e-${seq}`,
      ts: 0,
      at: 0,
      data: { stream: "stdout", text: "" },
      ...(seq === total && { final: true }),
    }) as RunEvent;
  const open: { name: string; speak(most: number): void; die(error?: Error): void; said: number; closed: boolean }[] =
    [];
  let head = 0;

  const transport = (name: Transport["name"]): Transport => ({
    name,
    open(query, take, signal) {
      let die: (error?: Error) => void = () => {};
      const done = new Promise<void>((_, reject) => (die = reject));
      const line = {
        name,
        said: -1,
        closed: false,
        die,
        speak(most: number) {
          if (line.said < 0) {
            take({ type: "stream.hello", protocol: 1, run: "r", epoch: "e", head, state: "running", server_time: 0 });
            line.said = +(new URLSearchParams(query).get("after")?.slice(2) ?? 0);
          }
          for (let n = 0; n < most && line.said < head; n++) take(event(++line.said));
          if (line.said === head) take({ type: "stream.ping", run: "r", seq: head, server_time: 0 });
        },
      };
      signal.addEventListener("abort", () => (line.closed = true));
      open.push(line);
      return { done };
    },
  });

  return {
    order: [transport("ws"), transport("sse")],
    open,
    get head() {
      return head;
    },
    grow(n: number) {
      head = Math.min(total, head + n);
    },
    /** One of the latest, closed ones among them. */
    any: () => open.at(-1 - Math.floor(random() * 4)),
  };
}

describe("with both transports in hand", () => {
  const refused = (temporary: boolean) => new CrewError({ code: "closed", message: "too many", temporary });

  async function begin(jitter = 0) {
    const { order, open, grow } = storm(Math.random, 60);
    const { follow } = createFollow(
      order,
      LIMITS_DEFAULT,
      () => jitter,
      new Set(),
      "",
      () => {},
    );
    const seqs: number[] = [];
    const controller = new AbortController();
    const following = (async () => {
      for await (const frame of follow("r", { signal: controller.signal })) if ("data" in frame) seqs.push(frame.seq);
    })();
    grow(3);
    await pass(0);
    const stop = async () => {
      controller.abort();
      await expect(following).rejects.toBe(controller.signal.reason);
      expect(open.every(({ closed }) => closed)).toBe(true);
    };
    return { open, grow, seqs, stop, names: () => open.map(({ name, closed }) => (closed ? `(${name})` : name)) };
  }

  test("what a closed connection still delivers is not heard", async () => {
    const { open, grow, seqs, names, stop } = await begin();
    open[0]!.speak(2);
    await pass(12.1);
    open[1]!.speak(9);
    expect(names()).toEqual(["(ws)", "sse"]);
    grow(3);
    open[0]!.speak(9);
    await pass(0);
    expect(seqs).toEqual([1, 2, 3]);
    open[1]!.speak(9);
    await pass(0);
    expect(seqs).toEqual([1, 2, 3, 4, 5, 6]);
    await stop();
  });

  test("a WebSocket that is slow to open is waited for while the fallback goes on telling", async () => {
    const { open, grow, seqs, names, stop } = await begin();
    open[0]!.die();
    await pass(0);
    open[1]!.speak(3);
    await pass(10);
    open[1]!.speak(0);
    await pass(5);
    expect(names()).toEqual(["(ws)", "sse", "ws"]);
    grow(3);
    open[1]!.speak(2);
    await pass(0);
    expect(names()).toEqual(["(ws)", "sse", "ws"]);
    open[2]!.speak(9);
    await pass(0);
    expect(names()).toEqual(["(ws)", "(sse)", "ws"]);
    expect(seqs).toEqual([1, 2, 3, 4, 5, 6]);
    await stop();
  });

  test("a connection that breaks while the other is being opened leaves it to that", async () => {
    const { open, names, stop } = await begin();
    open[0]!.speak(3);
    await pass(12.1);
    open[0]!.die();
    await pass(2);
    expect(names()).toEqual(["(ws)", "ws", "sse"]);
    open[1]!.speak(3);
    expect(names()).toEqual(["(ws)", "ws", "(sse)"]);
    await stop();
  });

  test("a connection that breaks while the other is being opened does not make a later wait longer", async () => {
    const { open, grow, names, stop } = await begin(0.999);
    open[0]!.speak(1);
    await pass(12.1);
    open[0]!.die();
    await pass(0);
    // It opens, tells nothing new, and breaks as well: the first wait, of at most 250 ms.
    grow(3);
    open[1]!.speak(0);
    open[1]!.die();
    await pass(0.3);
    expect(names()).toEqual(["(ws)", "(sse)", "sse"]);
    await stop();
  });

  test("a refusal of the second connection is no last word, of the only one it is", async () => {
    const { open, names, stop } = await begin();
    open[0]!.speak(3);
    await pass(12.1);
    open[1]!.die(refused(false));
    await pass(0);
    expect(names()).toEqual(["ws", "(ws)", "sse"]);
    open[2]!.die(refused(false));
    await pass(0.1);
    expect(names()).toEqual(["(ws)", "(ws)", "(sse)", "ws"]);
    await stop();
  });
});

test.each(Array.from({ length: 60 }, (_, n) => 1_000 + n))(
  "whatever connections do, every event comes once and in order (seed %i)",
  async (seed) => {
    const random = numbers(seed);
    const TOTAL = 60;
    const { order, open, any, grow } = storm(random, TOTAL);
    const { follow } = createFollow(
      random() < 0.3 ? order.slice(0, 1) : order,
      { ...LIMITS_DEFAULT, inbox: 25 },
      random,
      new Set(),
      "",
      () => {},
    );
    const seqs: number[] = [];
    const following = (async () => {
      for await (const frame of follow("r")) if ("data" in frame) seqs.push(frame.seq);
    })();

    await pass(0);
    for (let n = 0; n < 300; n++) {
      const dice = random();
      if (dice < 0.5) any()?.speak(Math.floor(random() * 5));
      else if (dice < 0.6) any()?.die(new Error("broken"));
      else if (dice < 0.65) happens(HEARD[n % 4]!, { persisted: random() < 0.3 });
      else if (dice < 0.75) grow(1);
      else await pass(random() * 15);
      await pass(0);
      expect(open.filter(({ closed }) => !closed).length).toBeLessThanOrEqual(3);
    }
    // Fair weather at last.
    for (let n = 0; n < 100; n++) {
      grow(TOTAL);
      for (const line of open.filter(({ closed }) => !closed)) line.speak(TOTAL);
      await pass(1);
    }
    await following;
    expect(seqs).toEqual(Array.from({ length: TOTAL }, (_, n) => n + 1));
    expect(open.every(({ closed }) => closed)).toBe(true);
  },
);
