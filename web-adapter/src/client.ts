import { backoff } from "./backoff.ts";
import { CrewError, isSilence, lost, unreachable } from "./errors.ts";
import { fetchSseTransport, refusal } from "./fetch-sse.ts";
import type { Ack, Change, Command, Frame, Refusal } from "./protocol.ts";
import { deadline, sleep } from "./timer.ts";
import { LIMITS_DEFAULT, type Connection, type Limits, type Transport } from "./transport.ts";
import { webSocketTransport } from "./ws.ts";

export interface CrewClientOptions {
  /** The sidecar's address, for instance `http://127.0.0.1:8770`, or a path that is rewritten to it. */
  readonly url: string;
  /** `auto` (default): WebSocket, and server-sent events wherever a WebSocket cannot open. */
  readonly transport?: "auto" | "ws" | "sse";
  readonly fetch?: typeof globalThis.fetch;
  readonly WebSocket?: typeof globalThis.WebSocket;
  /** [0, 1), for the jitter of reconnecting. */
  readonly random?: () => number;
  readonly limits?: Partial<Limits>;
}

export interface ConnectionStatus {
  /** `idle`: nothing to follow. `reconnecting`: broke or was refused, and is tried again. */
  readonly state: "idle" | "connecting" | "open" | "reconnecting";
  /** The one in use, or last used. */
  readonly transport: "ws" | "sse" | null;
}

export interface StartOptions {
  readonly crew?: string | undefined;
  readonly review?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface FollowOptions {
  /** Cursor (`id`) of the last event that is already known; without it the run is told from its start. */
  readonly after?: string;
  readonly signal?: AbortSignal;
}

export interface CrewClient {
  readonly url: string;
  /** Queues a run; resolves with its id. */
  start(inputs: Readonly<Record<string, unknown>>, options?: StartOptions): Promise<string>;
  /**
   * Every event of a run once and in order, until its final one, over however many connections that
   * takes; control frames in between. After a `stream.reset` other than `evicted` the events begin
   * again. Throws a CrewError when the server refuses for good, and the signal's reason on abort.
   */
  follow(run: string, options?: FollowOptions): AsyncGenerator<Frame, void>;
  /** Stops the crew within a token; `run.paused` says when it stands still. */
  pause(run: string): Promise<Ack>;
  resume(run: string): Promise<Ack>;
  cancel(run: string, reason?: string): Promise<Ack>;
  /** Steers a live run; `run.modified` says when it took effect, the final event's `unapplied` that it never did. */
  modify(run: string, change: Change): Promise<Ack>;
  /** Answers the question `input`; "" accepts. The first answer counts, a later one is refused with `already_answered`. */
  answer(run: string, input: string, text: string): Promise<Ack>;
  /** Any command. Resolves once it is logged; throws a CrewError with the server's code. */
  command(command: Command, options?: { readonly signal?: AbortSignal | undefined }): Promise<Ack>;
  readonly status: ConnectionStatus;
  /** Calls back after each change of `status`; gives the function that ends it. */
  subscribe(listener: () => void): () => void;
}

export function createCrewClient(options: CrewClientOptions): CrewClient {
  const { transport = "auto", random = Math.random } = options;
  const url = options.url.replace(/\/+$/, "");
  const limits = { ...LIMITS_DEFAULT, ...options.limits };
  // Wrapped: a detached window.fetch throws "Illegal invocation".
  const fetch: typeof globalThis.fetch = (...request) => (options.fetch ?? globalThis.fetch)(...request);
  const Socket = options.WebSocket ?? globalThis.WebSocket;

  const sse = fetchSseTransport(url, fetch, limits);
  const ws = webSocketTransport(url, Socket, limits);
  const order: readonly Transport[] = transport === "ws" ? [ws] : transport === "sse" ? [sse] : [ws, sse];
  /** Where the last connection worked; a fallback found once is not searched for again with every run. */
  let preferred = 0;

  const open = new Set<Connection>();
  const listeners = new Set<() => void>();
  let status: ConnectionStatus = { state: "idle", transport: null };

  function show(state: ConnectionStatus["state"], name = status.transport): void {
    if (state === status.state && name === status.transport) return;
    status = { state, transport: name };
    for (const listener of [...listeners]) listener();
  }

  async function connect(run: string, after: string | undefined, signal: AbortSignal): Promise<Connection> {
    let failure: unknown;
    for (let n = preferred; n < order.length; n++) {
      const candidate = order[n]!;
      try {
        const connection = await candidate.connect(run, after, signal);
        preferred = n;
        show("open", candidate.name);
        return connection;
      } catch (error) {
        failure = error;
        if (signal.aborted || !isWorthAnotherTry(error)) break;
      }
    }
    preferred = 0;
    throw failure;
  }

  async function* follow(run: string, { after, signal: parent }: FollowOptions = {}): AsyncGenerator<Frame, void> {
    const watch = deadline(parent);
    let cursor = after;
    let seq = 0;
    let attempt = 0;
    try {
      for (;;) {
        if (status.state === "idle") show("connecting");
        let connection: Connection | undefined;
        try {
          connection = await connect(run, cursor, watch.signal);
          open.add(connection);
          for await (const frame of connection.frames) {
            if ("data" in frame) {
              attempt = 0;
              if (frame.seq <= seq) continue;
              seq = frame.seq;
              cursor = frame.id;
              yield frame;
              if (frame.final) return;
            } else {
              if (frame.type === "stream.reset" && frame.reason !== "evicted") seq = 0;
              yield frame;
            }
          }
          return;
        } catch (error) {
          if (watch.signal.aborted || !isWorthAnotherTry(error)) throw watch.reason(error);
        } finally {
          if (connection) {
            open.delete(connection);
            connection.close();
          }
        }
        show("reconnecting");
        await sleep(backoff(attempt++, random), watch.signal);
      }
    } finally {
      watch.stop();
      if (open.size === 0) show("idle");
    }
  }

  async function post(json: string, signal: AbortSignal | undefined): Promise<Ack | Refusal> {
    const watch = deadline(signal);
    watch.arm(limits.ack, lost());
    try {
      const response = await fetch(`${url}/control`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: json,
        signal: watch.signal,
      });
      if (!response.ok) throw await refusal(response, url);
      return (await response.json()) as Ack;
    } catch (error) {
      throw watch.reason(error instanceof CrewError ? error : unreachable(url));
    } finally {
      watch.stop();
    }
  }

  async function command(body: Command, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<Ack> {
    const id = newId();
    const json = JSON.stringify({ id, ...body });
    for (let attempt = 0; ; attempt++) {
      // Commands address runs, not connections: any open socket will do, and after a lost ack a fresh POST.
      const socket = attempt === 0 ? [...open].find((connection) => connection.command) : undefined;
      try {
        const reply = await (socket?.command?.(id, json) ?? post(json, signal));
        if (reply.ok) return reply;
        throw new CrewError(reply.error);
      } catch (error) {
        // The same id again is safe: the second time it is answered, not done (idempotent).
        if (signal?.aborted || !isSilence(error) || attempt >= limits.retries) throw error;
        await sleep(backoff(attempt, random), signal);
      }
    }
  }

  return {
    url,
    async start(inputs, { signal, ...rest } = {}) {
      const ack = await command({ cmd: "start", inputs, ...rest }, { signal });
      // The protocol's promise: a start that is ok names its run.
      return ack.run!;
    },
    follow,
    pause: (run) => command({ cmd: "pause", run }),
    resume: (run) => command({ cmd: "resume", run }),
    cancel: (run, reason) => command({ cmd: "cancel", run, reason }),
    modify: (run, change) => command({ cmd: "modify", run, ...change }),
    answer: (run, input, text) => command({ cmd: "answer", run, input, text }),
    command,
    get status() {
      return status;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const isWorthAnotherTry = (error: unknown): boolean => error instanceof CrewError && error.temporary;

/** 130 random bits. Not `crypto.randomUUID`: pages served over plain http from a LAN do not have it. */
const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(26)), (byte) => (byte % 32).toString(32)).join("");
