import { CrewError, unauthorized, unreachable } from "./errors.ts";
import { fetchSseTransport } from "./fetch-sse.ts";
import { createFollow, type FollowOptions } from "./follow.ts";
import type { Ack, Change, Command, Frame, WireError } from "./protocol.ts";
import { createOutbox, type PendingCommand } from "./outbox.ts";
import { createReads, type Reads, type Request } from "./reads.ts";
import { statusOf, type ConnectionStatus } from "./status.ts";
import { within } from "./timer.ts";
import { LIMITS_DEFAULT, type Address, type Ask, type Limits, type Send } from "./transport.ts";
import { webSocketTransport } from "./ws.ts";

export interface CrewClientOptions {
  /** The sidecar's address, for instance `http://127.0.0.1:8770`, a path that is rewritten to it, or "": where the page is from. */
  readonly url: string;
  /** `auto` (default): WebSocket, and server-sent events wherever a WebSocket cannot open. */
  readonly transport?: "auto" | "ws" | "sse";
  /** Asked before each connection and each command; sent as `ticket` in the query. */
  readonly getTicket?: () => Promise<string>;
  /** Asked before each request; a WebSocket cannot carry any, which is what `getTicket` is for. */
  readonly headers?: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /** Told in short lines what becomes of connections and commands. */
  readonly debug?: (message: string, detail?: unknown) => void;
  /**
   * Where conversations keep the ids of their runs; by default the tab's sessionStorage. `() => localStorage`
   * shares them between tabs.
   */
  readonly storage?: () => Storage;
  readonly fetch?: typeof globalThis.fetch;
  readonly WebSocket?: typeof globalThis.WebSocket;
  /** [0, 1), for the jitter of reconnecting. */
  readonly random?: () => number;
  readonly limits?: Partial<Limits>;
}

export interface CommandOptions {
  /** Gives it up: whether it took effect is then unknown. */
  readonly signal?: AbortSignal | undefined;
  /** 1 to 64 of `A-Za-z0-9._:-`, unique; the events that it leads to have it as `cause`. */
  readonly id?: string | undefined;
  /**
   * Not given up while the sidecar is away: sent again under its id until it is acked or refused, in
   * order per run. By default `pause`, `resume`, `cancel` and `answer` are kept.
   */
  readonly keep?: boolean | undefined;
}

export interface StartOptions extends Omit<Extract<Command, { cmd: "start" }>, "cmd" | "inputs"> {
  readonly signal?: AbortSignal | undefined;
  /** As for any command. */
  readonly id?: string | undefined;
}

export interface CrewClient extends Reads {
  readonly url: string;
  /** As given in the options. */
  readonly storage: (() => Storage) | undefined;
  /** Queues a run; resolves with its id. */
  start(inputs: Readonly<Record<string, unknown>>, options?: StartOptions): Promise<string>;
  /**
   * Every event of a run once and in order, until its final one, over however many connections that
   * takes; control frames in between. After a `stream.reset` other than `evicted` the events begin
   * again. Throws a CrewError when the server refuses for good, and the signal's reason on abort.
   */
  follow(run: string, options?: FollowOptions): AsyncGenerator<Frame, void>;
  /** Stops the crew within a token; `run.paused` says when it stands still. */
  pause(run: string, options?: CommandOptions): Promise<Ack>;
  resume(run: string, options?: CommandOptions): Promise<Ack>;
  cancel(run: string, reason?: string, options?: CommandOptions): Promise<Ack>;
  /** Steers a live run; `run.modified` says when it took effect, the final event's `unapplied` that it never did. */
  modify(run: string, change: Change, options?: CommandOptions): Promise<Ack>;
  /**
   * Answers the question `input`; "" accepts. The first answer counts, a later one is refused with
   * `already_answered`.
   */
  answer(run: string, input: string, text: string, options?: CommandOptions): Promise<Ack>;
  /** Any command. Resolves once it is logged; throws a CrewError with the server's code. */
  command(command: Command, options?: CommandOptions): Promise<Ack>;
  /** Kept commands without an ack, oldest first; another array after each change. */
  readonly pending: readonly PendingCommand[];
  /** "Retry now": whoever waits to reconnect tries at once, kept commands too. */
  reconnect(): void;
  readonly status: ConnectionStatus;
  /** Calls back after each change of `status` and `pending`; gives the function that ends it. */
  subscribe(listener: () => void): () => void;
}

export function createCrewClient(options: CrewClientOptions): CrewClient {
  const { transport = "auto", random, getTicket, headers, storage, debug } = options;
  const url = options.url.replace(/\/+$/, "");
  const limits = { ...LIMITS_DEFAULT, ...options.limits };
  const Socket = options.WebSocket ?? globalThis.WebSocket;

  const inUse = new Set<Send>();
  const listeners = new Set<() => void>();
  let status = statusOf([], null);

  function setStatus(next: ConnectionStatus): void {
    if (JSON.stringify(next) === JSON.stringify(status)) return;
    status = next;
    debug?.(`connection ${status.state}`, status);
    if (status.state === "open") outbox.retry();
    notify();
  }

  function notify(): void {
    // A copy: one that leaves and comes back as it is called would be called again.
    // oxlint-disable-next-line unicorn/no-useless-spread
    for (const listener of [...listeners]) listener();
  }

  const address: Address = async (path, query) => {
    // Through JSON: without what is undefined.
    const given = JSON.stringify({ ...query, ticket: (await granted(getTicket)) || undefined });
    const search = String(new URLSearchParams(JSON.parse(given) as Record<string, string>));
    return url + path + (search && `?${search}`);
  };

  const ask: Ask = async (path, query, signal, method = "GET", body) => {
    const init = {
      method,
      signal,
      // Next keeps what a Server Component fetches.
      cache: "no-store",
      headers: { ...(body && { "content-type": "application/json" }), ...(await granted(headers)) },
      ...(body && { body }),
    } as const;
    // Called as a function of nothing: a detached window.fetch throws "Illegal invocation" as a method of `options`.
    const response = await (options.fetch ?? globalThis.fetch)(await address(path, query), init);
    if (response.ok) return response;
    const said = (await response.json().catch(() => null)) as { error?: WireError } | null;
    throw said?.error?.code && new CrewError(said.error);
  };

  const transports = [webSocketTransport(address, Socket, limits), fetchSseTransport(ask)];
  const order = transports.filter(({ name }) => transport === "auto" || transport === name);
  const { follow, reconnect } = createFollow(order, limits, random, inUse, url, setStatus, debug);

  const request: Request = (method, path, { signal, ...query } = {}, json) =>
    within(
      json ? limits.ack : limits.silence,
      (until) =>
        ask(path, query, until, method, json)
          .then((response) => (response.status === 204 ? undefined : response.json()))
          .catch((error: unknown) => {
            throw error instanceof CrewError ? error : unreachable(url);
          }),
      signal,
    );

  const post: Send = (_, body, signal) => request("POST", "/control", { signal }, body);
  const outbox = createOutbox(inUse, post, limits, random, notify, debug);
  const command: CrewClient["command"] = (
    body,
    { signal, id = newId(), keep = /pause|resume|cancel|answer/.test(body.cmd) } = {},
  ) => outbox.send(body, id, keep, signal);

  return {
    url,
    storage,
    async start(inputs, { signal, id, ...rest } = {}) {
      const ack = await command({ cmd: "start", inputs, ...rest }, { signal, id });
      // The protocol's promise: a start that is ok names its run.
      return ack.run!;
    },
    follow,
    pause: (run, options) => command({ cmd: "pause", run }, options),
    resume: (run, options) => command({ cmd: "resume", run }, options),
    cancel: (run, reason, options) => command({ cmd: "cancel", run, reason }, options),
    modify: (run, change, options) => command({ cmd: "modify", run, ...change }, options),
    answer: (run, input, text, options) => command({ cmd: "answer", run, input, text }, options),
    command,
    ...createReads(request),
    get pending() {
      return outbox.pending;
    },
    reconnect() {
      reconnect();
      outbox.retry();
    },
    get status() {
      return status;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** What the page lends to a request; that it fails is temporary, for somebody may sign in. */
async function granted<T>(give?: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await give?.();
  } catch (error) {
    throw error instanceof CrewError ? error : unauthorized(error);
  }
}

/** 128 random bits. Not `crypto.randomUUID`: pages served over plain http from a LAN do not have it. */
export const newId = (): string => crypto.getRandomValues(new Uint32Array(4)).join("-");
