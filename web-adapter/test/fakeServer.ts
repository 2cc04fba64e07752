import { emptyRun, reduce, type Command, type RunEvent } from "../src/index.ts";

type Sent = Command & { readonly id: string };

export interface Request {
  readonly via: "ws" | "sse" | "post" | "socket" | "subscribe" | "unsubscribe";
  readonly run?: string;
  readonly after?: string | null;
  readonly body?: Sent;
}

/** How the network behaves; change it in the middle of a test. */
export interface Weather {
  /**
   * `throw`: as a blocked constructor; `mute`: opens and never says a word, as a proxy may; `hang`: does
   * not open, until it is `ok` and `stir` is called.
   */
  ws: "ok" | "refuse" | "hang" | "mute" | "throw";
  http: "ok" | "refuse" | "hang" | "proxy page";
  /** Each connection breaks after so many events. */
  breakAfter: number;
  /** With this close code (WebSocket). */
  closeCode: number;
  /** So many acks get lost on the way back. */
  loseAcks: number;
  /** Says when all was told; until then there is more, which it does not come to. */
  live: boolean;
  /** Deliver each event this often. */
  copies: number;
  /** Why the sidecar cannot store events. */
  trouble: string | undefined;
  /** The sidecar's clock, Unix ms. */
  clock: number;
  /** Commands that are refused, with their error code. */
  refused: Partial<Record<Command["cmd"], string>>;
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
const UNKNOWN = { code: "unknown_run", message: "no such run", temporary: false };

interface About {
  readonly id: string;
  readonly cmd: "subscribe" | "unsubscribe";
  readonly run: string;
  readonly after?: string | null;
}

const isAbout = (body: { readonly cmd: string }): body is About => body.cmd.endsWith("subscribe");

/** A run in a conversation, as it was started. */
export interface Threaded {
  readonly run: string;
  readonly after: string | null;
  readonly inputs: Readonly<Record<string, unknown>>;
}

interface Log {
  readonly events: readonly RunEvent[];
  /** How many of them there are as yet; the rest come with `grow`. */
  head: number;
}

/** 204, as Chromium gives it: with a body, though nothing is in it. */
export const nothing = (): Response =>
  Object.defineProperty(new Response(null, { status: 204 }), "body", { value: new Response("").body });

/** The same log, as another run's. */
export const logOf = (run: string, log: readonly RunEvent[]): readonly RunEvent[] =>
  log.map((event) => ({ ...event, run, id: event.id.replace("k3f9", run) }));

/**
 * A sidecar in memory: one log or several, both transports, commands. It speaks docs/PROTOCOL.md as
 * far as a client can tell, and writes down what it was asked. The first start begins the first log,
 * the next the second, and so on; the last one serves all further starts.
 */
export function fakeServer(first: readonly RunEvent[], ...later: readonly (readonly RunEvent[])[]) {
  const run = first[0]?.run ?? "r_01jd";
  const logs = new Map<string, Log>(
    [first, ...later].map((events) => [events[0]?.run ?? run, { events, head: events.length }]),
  );
  const logged = (of: string): Log => logs.get(of)!;
  let unstarted = [...logs.keys()];
  const weather: Weather = {
    ws: "ok",
    http: "ok",
    breakAfter: Infinity,
    closeCode: 1006,
    loseAcks: 0,
    live: true,
    copies: 1,
    trouble: undefined,
    clock: 0,
    refused: {},
  };
  const requests: Request[] = [];
  const effects: Sent[] = [];
  const sockets = new Set<FakeSocket>();
  const hanging = new Set<object>();
  /** Open subscriptions, oldest first. */
  const lines = new Set<Line>();
  const answered = new Map<string, string>();
  const threads = new Map<string, { title: string; readonly runs: Threaded[] }>();
  let wake: (() => void)[] = [];
  let resetReason: string | undefined;

  const troubled = () => ({ server_time: weather.clock, ...(weather.trouble && { trouble: weather.trouble }) });
  const hello = (of: string) => ({
    type: "stream.hello",
    protocol: 1,
    run: of,
    epoch: "k3f9",
    head: logged(of).head,
    state: "running",
    ...troubled(),
  });

  /** A conversation's runs tell the inputs that they were started with; others those of their log. */
  function asked(event: RunEvent): RunEvent {
    const started = [...threads.values()].flatMap(({ runs }) => runs).find(({ run }) => run === event.run);
    if (event.type !== "run.queued" || !started) return event;
    return { ...event, data: { ...event.data, inputs: started.inputs } };
  }

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

  async function* stream(run: string, after: string | null, line: Line): AsyncGenerator<object, "end" | "break"> {
    const { events: log } = logged(run);
    yield hello(run);
    let at = after === null ? 0 : log.findIndex(({ id }) => id === after) + 1;
    if (resetReason !== undefined) {
      yield { type: "stream.reset", run, reason: resetReason, from: log[0]?.seq ?? 1 };
      [resetReason, at] = [undefined, 0];
    }
    if (at === log.length) {
      yield { type: "stream.end", run, id: after };
      return "end";
    }
    for (let told = 0, live = false; ;) {
      for (; !line.mute && line.pings > 0; line.pings--) yield { type: "stream.ping", run, seq: at, ...troubled() };
      while (at < logged(run).head && !line.mute) {
        if (told++ >= weather.breakAfter) return "break";
        for (let n = 0; n < weather.copies; n++) yield asked(log[at]!);
        if (log[at++]!.final) {
          if (!live) yield { type: "stream.live", run, seq: at };
          yield { type: "stream.end", run, id: log[at - 1]!.id };
          return "end";
        }
      }
      if (weather.live && !live && !line.mute) {
        yield { type: "stream.live", run, seq: at };
        live = true;
      }
      await new Promise<void>((resolve) => wake.push(resolve));
      if (line.broken) return "break";
    }
  }

  function command(json: string): string {
    const body = JSON.parse(json) as Sent;
    const before = answered.get(body.id);
    if (before !== undefined) return before;
    const of = "run" in body ? body.run : (unstarted[0] ?? run);
    const code = weather.refused[body.cmd] ?? (logs.has(of) ? undefined : "unknown_run");
    if (!code) effects.push(body);
    if (!code && body.cmd === "start") {
      if (body.thread) {
        const { title = "Thread", thread, after, inputs = {} } = body;
        const { runs } = threads.get(thread) ?? threads.set(thread, { title, runs: [] }).get(thread)!;
        runs.push({ run: of, after: after === "" ? null : (after ?? runs.at(-1)?.run ?? null), inputs });
      }
      if (unstarted.length > 1) unstarted = unstarted.slice(1);
    }
    const message = code === "unknown_run" ? "no such run" : `${body.cmd} is refused`;
    const reply = JSON.stringify({
      type: "command.ack",
      id: body.id,
      ...(code
        ? { ok: false, error: { code, message, temporary: code === "unavailable" } }
        : { ok: true, run: of, seq: 1 }),
    });
    // A refusal that is temporary is not remembered.
    if (code !== "unavailable") answered.set(body.id, reply);
    return reply;
  }

  const stateOf = (run: string) => {
    const { events, head } = logs.get(run) ?? { events: [], head: 0 };
    const last = events[head - 1];
    return last?.final ? last.type.slice("run.".length) : "running";
  };

  function snapshotOf(thread: string, one: Threaded) {
    // One that is forgotten is in the thread as long as the test says so.
    const { events = [], head = 0 } = logs.get(one.run) ?? {};
    const view = events.slice(0, head).reduce(reduce, emptyRun);
    const { output = null, error = null } = { ...("output" in view && view), ...("error" in view && view) };
    return {
      ...view,
      input: null,
      output,
      error,
      ...one,
      thread,
      state: events.length ? stateOf(one.run) : "completed",
    };
  }

  function threadInfo(thread: string) {
    const { title, runs } = threads.get(thread)!;
    const state = runs.map(({ run }) => stateOf(run)).findLast((state, n) => state === "running" || n === 0);
    return { thread, title, created: 0, updated: 0, runs: runs.length, state };
  }

  /** `/threads` and `/threads/{id}`. */
  function threadRoute(method: string | undefined, thread: string | undefined, body: unknown): Response {
    if (!thread) return Response.json({ threads: [...threads.keys()].reverse().map(threadInfo), next: null });
    const known = threads.get(thread);
    if (!known) {
      const error = { code: "unknown_thread", message: "no such thread", temporary: false };
      return Response.json({ error }, { status: 404 });
    }
    if (method === "DELETE") {
      if (known.runs.some(({ run }) => stateOf(run) === "running")) {
        const error = { code: "illegal_state", message: "a run of it is live", temporary: false };
        return Response.json({ error }, { status: 409 });
      }
      threads.delete(thread);
      return nothing();
    }
    if (method === "PATCH") known.title = (JSON.parse(body as string) as { title: string }).title;
    return Response.json({ ...threadInfo(thread), runs: known.runs.map((one) => snapshotOf(thread, one)) });
  }

  class FakeSocket {
    onopen: (() => void) | null = null;
    onmessage: ((event: { data: string }) => void) | null = null;
    onclose: ((event: { code: number; reason: string }) => void) | null = null;
    readyState = 0;
    url: string;
    protocol: string;
    subscriptions = new Map<string, Line>();
    deaf = false;

    constructor(url: string | URL, protocol: string) {
      if (weather.ws === "throw") throw new Error("blocked");
      this.url = String(url);
      this.protocol = protocol;
      sockets.add(this);
      const { searchParams } = new URL(url);
      requests.push({ via: "ws", run: searchParams.get("run") ?? "", after: searchParams.get("after") });
      queueMicrotask(() => void this.serve(searchParams));
    }

    get closed(): boolean {
      return this.readyState > 1;
    }

    async serve(query: URLSearchParams): Promise<void> {
      while (weather.ws === "hang" && !this.closed) await new Promise<void>((resolve) => wake.push(resolve));
      if (this.closed) return;
      if (weather.ws === "refuse") return this.drop(1006);
      this.readyState = 1;
      this.deaf = weather.ws === "mute";
      this.onopen?.();
      const run = query.get("run");
      if (this.deaf || run === null) return;
      if (logs.has(run)) return this.tell(run, query.get("after"));
      this.say({ type: "command.ack", id: null, ok: false, error: UNKNOWN });
    }

    async tell(run: string, after: string | null): Promise<void> {
      const line = subscribe("ws");
      this.subscriptions.set(run, line);
      const frames = stream(run, after, line);
      for (;;) {
        const { value, done } = await frames.next();
        if (!lines.has(line)) return;
        if (!done) this.say(value);
        else if (value === "break") return this.drop(weather.closeCode);
        else return this.leave(run);
      }
    }

    leave(run: string): void {
      lines.delete(this.subscriptions.get(run)!);
      this.subscriptions.delete(run);
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
      if (!this.readyState) throw new Error("InvalidStateError: still connecting");
      const body = JSON.parse(json) as Sent;
      if (isAbout(body)) this.subscribe(body);
      else {
        requests.push({ via: "socket", body });
        const reply = command(json);
        if (weather.loseAcks-- > 0) return;
        queueMicrotask(() => !this.closed && this.onmessage?.({ data: reply }));
      }
    }

    subscribe({ id, cmd, run, after = null }: About): void {
      requests.push({ via: cmd, run, ...(cmd === "subscribe" && { after }) });
      if (this.deaf) return;
      const ok = { type: "command.ack", id, ok: true, run };
      // An answer takes its time, and what was on its way comes before it.
      queueMicrotask(() => {
        if (this.closed) return;
        const noop = this.subscriptions.has(run) === (cmd === "subscribe");
        if (cmd === "unsubscribe") this.leave(run);
        else if (!logs.has(run)) return this.say({ type: "command.ack", id, ok: false, error: UNKNOWN });
        this.say({ ...ok, ...(noop && { noop }) });
        if (cmd === "subscribe" && !noop) void this.tell(run, after);
      });
    }

    close(): void {
      this.readyState = 3;
      sockets.delete(this);
      for (const run of this.subscriptions.keys()) this.leave(run);
    }
  }

  async function fetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    const { pathname, searchParams } = new URL(input instanceof Request ? input.url : input);
    const { signal } = init;
    if (weather.http === "refuse") throw new TypeError("fetch failed");
    if (weather.http === "hang")
      return new Promise((_, reject) => {
        hanging.add(reject);
        signal?.addEventListener("abort", () => {
          hanging.delete(reject);
          reject(signal.reason);
        });
      });
    if (weather.http === "proxy page") return new Response("<h1>Bad Gateway</h1>", { status: 502 });
    if (pathname === "/control") {
      requests.push({ via: "post", body: JSON.parse(init.body as string) as Sent });
      const reply = command(init.body as string);
      if (weather.loseAcks-- > 0) throw new TypeError("network changed");
      return new Response(reply, { status: reply.includes('"ok":true') ? 200 : 404 });
    }
    const [, noun, thread] = pathname.split("/");
    if (noun === "threads") return threadRoute(init.method, thread, init.body);
    const after = searchParams.get("after");
    const run = searchParams.get("run") ?? "";
    requests.push({ via: "sse", run, after });
    if (!logs.has(run)) return new Response(JSON.stringify({ error: UNKNOWN }), { status: 404 });
    if (after !== null && after === logged(run).events.at(-1)?.id) return nothing();
    const line = subscribe("sse");
    const frames = stream(run, after, line);
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
    /** Requests without an answer. */
    hanging,
    lines,
    /** Conversations by id, with the runs that were started in them. */
    threads,
    /** Puts runs into a thread, each behind the one before, as an earlier page would have. */
    remember(thread: string, ...runs: readonly string[]) {
      const inputs = { message: "Coffee in Lisbon" };
      threads.set(thread, {
        title: "Thread",
        runs: runs.map((run, n) => ({ run, after: runs[n - 1] ?? null, inputs })),
      });
    },
    stir,
    options: {
      url: ORIGIN,
      fetch: fetch as typeof globalThis.fetch,
      WebSocket: FakeSocket as unknown as typeof WebSocket,
    },
    /** Only the first `n` events exist as yet. */
    hold(n: number, of = run) {
      logged(of).head = n;
    },
    grow(n = Infinity, of = run) {
      const log = logged(of);
      log.head = Math.min(n, log.events.length);
      stir();
    },
    /** To every subscription. */
    ping() {
      for (const line of lines) line.pings++;
      stir();
    },
    /** The next subscription is told that its cursor cannot be honoured. */
    resetNext(reason: string) {
      resetReason = reason;
    },
  };
}
