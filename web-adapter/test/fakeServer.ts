import type { Command, RunEvent } from "../src/index.ts";

type Sent = Command & { readonly id: string };

export interface Request {
  readonly via: "ws" | "sse" | "post" | "socket";
  readonly run?: string;
  readonly after?: string | null;
  readonly body?: Sent;
}

/** How the network behaves; change it in the middle of a test. */
export interface Weather {
  /** `throw`: as a blocked constructor; `mute`: opens and never says a word, as a proxy may. */
  ws: "ok" | "refuse" | "hang" | "mute" | "throw";
  http: "ok" | "refuse" | "hang" | "proxy page";
  /** Each connection breaks after so many events. */
  breakAfter: number;
  /** With this close code (WebSocket). */
  closeCode: number;
  /** So many acks get lost on the way back. */
  loseAcks: number;
  /** Deliver each event this often. */
  copies: number;
  /** Why the sidecar cannot store events. */
  trouble: string | undefined;
}

/** One subscription, as the network treats it. */
export interface Line {
  readonly via: "ws" | "sse";
  /** Nothing comes through; what was said meanwhile comes late, once `stir` is called. */
  mute: boolean;
  /** It breaks with the next `stir`. */
  broken: boolean;
  pings: number;
}

const ORIGIN = "http://sidecar.test";

/**
 * A sidecar in memory: one log, both transports, commands. It speaks docs/PROTOCOL.md as far as a
 * client can tell, and writes down what it was asked.
 */
export function fakeServer(log: readonly RunEvent[]) {
  const run = log[0]?.run ?? "r_01jd";
  const weather: Weather = { ws: "ok", http: "ok", breakAfter: Infinity, closeCode: 1006, loseAcks: 0, copies: 1, trouble: undefined };
  const requests: Request[] = [];
  const effects: Sent[] = [];
  const sockets = new Set<FakeSocket>();
  /** Open subscriptions, oldest first. */
  const lines = new Set<Line>();
  const answered = new Map<string, string>();
  /** How many events there are as yet; the rest come with `grow`. */
  let head = log.length;
  let wake: (() => void)[] = [];
  let resetReason: string | undefined;
  let saysLive = false;

  const troubled = () => ({ server_time: 0, ...(weather.trouble && { trouble: weather.trouble }) });
  const hello = () => ({ type: "stream.hello", protocol: 1, run, epoch: "k3f9", head, state: "running", ...troubled() });

  function stir(): void {
    const waiting = wake;
    wake = [];
    for (const go of waiting) go();
  }

  function subscribe(via: Line["via"]): Line {
    const line = { via, mute: false, broken: false, pings: 0 };
    lines.add(line);
    return line;
  }

  async function* stream(after: string | null, line: Line): AsyncGenerator<object, "end" | "break"> {
    yield hello();
    let at = after === null ? 0 : log.findIndex(({ id }) => id === after) + 1;
    if (resetReason !== undefined) {
      yield { type: "stream.reset", run, reason: resetReason, from: log[0]?.seq ?? 1 };
      [resetReason, at] = [undefined, 0];
    }
    if (at === log.length) {
      yield { type: "stream.end", run, id: after };
      return "end";
    }
    for (let told = 0; ; ) {
      for (; !line.mute && line.pings > 0; line.pings--) yield { type: "stream.ping", run, seq: at, ...troubled() };
      while (at < head && !line.mute) {
        if (told++ >= weather.breakAfter) return "break";
        for (let n = 0; n < weather.copies; n++) yield log[at]!;
        if (log[at++]!.final) {
          yield { type: "stream.end", run, id: log[at - 1]!.id };
          return "end";
        }
      }
      if (saysLive) yield { type: "stream.live", run, seq: at };
      await new Promise<void>((resolve) => wake.push(resolve));
      if (line.broken) return "break";
    }
  }

  function command(json: string): string {
    const body = JSON.parse(json) as Sent;
    const before = answered.get(body.id);
    if (before !== undefined) return before;
    const known = body.cmd === "start" || !("run" in body) || body.run === run;
    if (known) effects.push(body);
    const reply = JSON.stringify(
      known
        ? { type: "command.ack", id: body.id, ok: true, run, seq: 1 }
        : { type: "command.ack", id: body.id, ok: false, error: { code: "unknown_run", message: "no such run", temporary: false } },
    );
    answered.set(body.id, reply);
    return reply;
  }

  class FakeSocket {
    onmessage: ((event: { data: string }) => void) | null = null;
    onclose: ((event: { code: number; reason: string }) => void) | null = null;
    closed = false;
    line: Line | undefined;
    url: string;
    protocol: string;

    constructor(url: string | URL, protocol: string) {
      if (weather.ws === "throw") throw new Error("blocked");
      this.url = String(url);
      this.protocol = protocol;
      sockets.add(this);
      const { searchParams } = new URL(url);
      requests.push({ via: "ws", run: searchParams.get("run") ?? "", after: searchParams.get("after") });
      queueMicrotask(() => void this.serve(searchParams));
    }

    async serve(query: URLSearchParams): Promise<void> {
      if (weather.ws === "refuse") return this.drop(1006);
      if (weather.ws !== "ok") return;
      if (query.get("run") !== run) {
        const error = { code: "unknown_run", message: "no such run", temporary: false };
        return this.say({ type: "command.ack", id: null, ok: false, error });
      }
      this.line = subscribe("ws");
      const frames = stream(query.get("after"), this.line);
      for (;;) {
        const { value, done } = await frames.next();
        if (this.closed) return;
        if (done) return value === "break" ? this.drop(weather.closeCode) : undefined;
        this.say(value);
      }
    }

    say(frame: object): void {
      this.onmessage?.({ data: JSON.stringify(frame) });
    }

    drop(code: number): void {
      if (this.closed) return;
      this.close();
      this.onclose?.({ code, reason: "" });
    }

    send(json: string): void {
      requests.push({ via: "socket", body: JSON.parse(json) as Sent });
      const reply = command(json);
      if (weather.loseAcks-- > 0) return;
      queueMicrotask(() => !this.closed && this.onmessage?.({ data: reply }));
    }

    close(): void {
      this.closed = true;
      sockets.delete(this);
      if (this.line) lines.delete(this.line);
    }
  }

  async function fetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    const { pathname, searchParams } = new URL(String(input));
    const { signal } = init;
    if (weather.http === "refuse") throw new TypeError("fetch failed");
    if (weather.http === "hang") return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    if (weather.http === "proxy page") return new Response("<h1>Bad Gateway</h1>", { status: 502 });
    if (pathname === "/control") {
      requests.push({ via: "post", body: JSON.parse(String(init.body)) as Sent });
      const reply = command(String(init.body));
      if (weather.loseAcks-- > 0) throw new TypeError("network changed");
      return new Response(reply, { status: reply.includes('"ok":true') ? 200 : 404 });
    }
    const after = searchParams.get("after");
    requests.push({ via: "sse", run: searchParams.get("run") ?? "", after });
    if (searchParams.get("run") !== run) {
      const error = { code: "unknown_run", message: "no such run", temporary: false };
      return new Response(JSON.stringify({ error }), { status: 404 });
    }
    if (after !== null && after === log.at(-1)?.id) return new Response(null, { status: 204 });
    const line = subscribe("sse");
    const frames = stream(after, line);
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      start: (controller) =>
        signal?.addEventListener("abort", () => {
          lines.delete(line);
          controller.error(signal.reason);
        }),
      async pull(controller) {
        const { value, done } = await frames.next();
        if (signal?.aborted) return;
        if (done) {
          lines.delete(line);
          return value === "break" ? controller.error(new TypeError("broken")) : controller.close();
        }
        const event = value as { type: string; id?: string; data?: unknown };
        const head = event.data === undefined ? `event: ${event.type}` : `id: ${event.id}`;
        controller.enqueue(encoder.encode(`${head}\ndata: ${JSON.stringify(value)}\n\n`));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  return {
    run,
    weather,
    requests,
    /** Commands that were carried out, each once. */
    effects,
    sockets,
    lines,
    stir,
    options: { url: ORIGIN, fetch: fetch as typeof globalThis.fetch, WebSocket: FakeSocket as unknown as typeof WebSocket },
    /** Only the first `n` events exist as yet. */
    hold(n: number) {
      head = n;
    },
    grow(n = log.length) {
      head = Math.min(n, log.length);
      stir();
    },
    /** To every subscription. */
    ping() {
      for (const line of lines) line.pings++;
      stir();
    },
    /** From now on a subscription that has caught up is told so. */
    sayWhenLive() {
      saysLive = true;
    },
    /** The next subscription is told that its cursor cannot be honoured. */
    resetNext(reason: string) {
      resetReason = reason;
    },
  };
}
