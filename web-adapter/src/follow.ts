import { backoff } from "./backoff.ts";
import type { CrewError } from "./errors.ts";
import { PING, type Frame } from "./protocol.ts";
import type { Limits, Send, Transport } from "./transport.ts";

export interface ConnectionStatus {
  /**
   * `idle`: nothing to follow. `reconnecting`: broke or was refused, and is tried again; `offline`: the
   * same, and the browser says that it has no network. `asleep`: let go of while the tab is hidden.
   */
  readonly state: "idle" | "connecting" | "open" | "reconnecting" | "offline" | "asleep";
  /** The one in use, or last used. */
  readonly transport: Transport["name"] | null;
  /** Why the sidecar cannot store events at the moment: runs stand still until it can. null: it can. */
  readonly trouble: string | null;
}

export interface FollowOptions {
  /** Cursor (`id`) of the last event that is already known; without it the run is told from its start. */
  readonly after?: string;
  readonly signal?: AbortSignal;
}

interface Link {
  /** Its transport's place in `order`. */
  readonly n: number;
  /** Only to see whether that transport works; all is well without it. */
  probe: boolean;
  /** When it last spoke. `Date.now` goes on while a computer sleeps, `performance.now` need not. */
  heard: number;
  close(): void;
}

/**
 * The followers of one client. `order`: the transport that is wanted, then what to fall back to.
 * `inUse` is kept for commands to go over it.
 */
export function createFollow(
  order: readonly Transport[],
  limits: Limits,
  random: (() => number) | undefined,
  inUse: Set<Send>,
  setStatus: (change: Partial<ConnectionStatus>) => void,
) {
  let followers = 0;
  /** Where a connection worked last: a fallback found once is not searched for with every run. */
  let preferred = 0;
  /** When the wanted one is to be tried again (`performance.now`, which no change of the clock moves) … */
  let probeDue = 0;
  /** … and how long after it failed last. */
  let probeDelay = limits.probe;

  /**
   * At most two connections at a time: `current` is read; `rival` is opened at the cursor where there
   * is none, or beside it while it is silent, or to get back from the fallback. The rival's first
   * frame makes it the current one, and only then the other is closed (make before break). What both
   * tell is dropped by its number.
   */
  return async function* follow(
    run: string,
    { after: cursor, signal }: FollowOptions = {},
  ): AsyncGenerator<Frame, void> {
    const lifetime = new AbortController();
    let seq = 0;
    let tries = 0;
    let current: Link | undefined;
    let rival: Link | undefined;
    /** Of the next try: to connect at all, or to get back from the fallback. */
    let retryTimer: ReturnType<typeof setTimeout> | undefined;
    let sleepTimer: typeof retryTimer;
    let queue: Frame[] = [];
    /** A connection is opened only when the reader has caught up. */
    let behind = true;
    let failure: unknown;
    let notify = () => {};

    function connect(n = preferred, probe = false): void {
      behind = queue.length > limits.inbox;
      if (behind) return;
      const { name, open } = order[n]!;
      const closing = new AbortController();
      let silence = setTimeout(disconnected, limits.open);
      const link: Link = (rival = {
        n,
        probe,
        heard: 0,
        close() {
          clearTimeout(silence);
          inUse.delete(send!);
          closing.abort();
          if (link === rival) rival = undefined;
          else if (link === current) current = undefined;
        },
      });
      const { done, send } = open({ run, ...(cursor && { after: cursor }) }, receive, closing.signal);
      done.then(finish, disconnected);

      function receive(frame: Frame): void {
        if (link === rival) {
          rival = undefined;
          current?.close();
          current = link;
          if (send) inUse.add(send);
          setStatus({ state: "open", transport: name });
          if (n > preferred) probeDue = performance.now() + probeDelay;
          preferred = n;
          if (n) schedule(upgrade, probeDue - performance.now());
          else clearTimeout(retryTimer);
          scheduleSleep();
        } else if (link !== current) return;
        // It spoke up in time.
        else if (!rival?.probe) rival?.close();
        clearTimeout(silence);
        silence = setTimeout(handoff, limits.silence, (n + 1) % order.length);
        link.heard = Date.now();

        if ("data" in frame) {
          if (frame.seq <= seq) return;
          ({ seq, id: cursor } = frame);
          tries = 0;
        } else if (frame.type === "stream.reset") {
          if (frame.reason !== "evicted") seq = 0;
        } else if ("server_time" in frame) {
          setStatus({ trouble: frame.trouble ?? null });
          if (frame.type === "stream.ping") {
            tries = 0;
            // It lasts. One that opens and then falls mute is not worth hurrying back to.
            if (!n) probeDelay = limits.probe;
          }
        }
        queue.push(frame);
        notify();
        if (frame.type === "stream.end" || "final" in frame) finish();
        else if (queue.length > limits.inbox) disconnected();
      }

      /** What is not a CrewError has nothing to say. */
      function disconnected(error?: Partial<CrewError>): void {
        const wasRival = link === rival;
        if (!wasRival && link !== current) return;
        link.close();
        if (wasRival && current) {
          if (link.probe) return;
          // A refusal is no last word yet: it may have been of a second connection.
        } else if (error?.temporary === false) return finish(error);
        if (wasRival && n + 1 < order.length) return connect(n + 1);
        current?.close();
        setStatus({ state: globalThis.navigator?.onLine === false ? "offline" : "reconnecting" });
        if (rival) return;
        if (wasRival) preferred = 0;
        schedule(connect, backoff(tries++, random));
      }
    }

    /** Opens a rival to a silent connection; the one that speaks first is kept. */
    function handoff(n: number): void {
      if (rival) rival.probe = false;
      else connect(n);
    }

    /** Tries the transport that is wanted. The first follower to do so says when all of them do so again. */
    function upgrade(): void {
      const now = performance.now();
      if (now >= probeDue) {
        probeDelay = Math.min(probeDelay * 2, limits.probeMost);
        probeDue = now + probeDelay;
      }
      if (!rival) connect(0, true);
      schedule(upgrade, probeDue - now);
    }

    function schedule(next: () => void, ms: number): void {
      clearTimeout(retryTimer);
      retryTimer = setTimeout(next, ms);
    }

    /** A hidden tab lets go of a stream that others may need more (`limits.hidden`); a WebSocket is not counted. */
    function scheduleSleep(): void {
      clearTimeout(sleepTimer);
      if (globalThis.document?.hidden && order[current?.n ?? 0]!.name === "sse")
        sleepTimer = setTimeout(sleep, limits.hidden);
    }

    function sleep(): void {
      closeAll();
      setStatus({ state: "asleep" });
    }

    /** The page is back, or the network came or went: timers may have stood still, and what failed before may work. */
    function wake({ type, persisted }: Event & { readonly persisted?: boolean }): void {
      scheduleSleep();
      if (type === "visibilitychange" && document.hidden) return;
      tries = probeDue = 0;
      probeDelay = limits.probe;
      // A page from the back/forward cache (`persisted`) has its sockets closed, told or not.
      if (current && (persisted || type === "offline" || Date.now() - current.heard > PING)) handoff(0);
      else if (current?.n) upgrade();
      else if (!current && !rival) schedule(connect, 0);
    }

    function closeAll(): void {
      clearTimeout(retryTimer);
      clearTimeout(sleepTimer);
      current?.close();
      rival?.close();
    }

    function finish(error?: unknown): void {
      failure ??= error;
      lifetime.abort();
      closeAll();
      notify();
    }

    if (!followers++) setStatus({ state: "connecting" });
    try {
      signal?.addEventListener("abort", () => finish(), { signal: lifetime.signal });
      for (const type of ["pageshow", "online", "offline", "visibilitychange"]) {
        // Node has none.
        globalThis.addEventListener?.(type, wake, { signal: lifetime.signal });
      }
      for (;;) {
        signal?.throwIfAborted();
        const batch = queue;
        queue = [];
        for (const frame of batch) {
          yield frame;
          signal?.throwIfAborted();
        }
        if (queue.length) continue;
        if (failure) throw failure;
        if (lifetime.signal.aborted) return;
        if (behind) connect();
        await new Promise<void>((resolve) => (notify = resolve));
      }
    } finally {
      finish();
      if (!--followers) setStatus({ state: "idle", trouble: null });
    }
  };
}
