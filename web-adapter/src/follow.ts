import { backoff } from "./backoff.ts";
import { CrewError, lost, unreachable } from "./errors.ts";
import { PING, type Frame } from "./protocol.ts";
import { statusOf, type ConnectionStatus } from "./status.ts";
import type { Limits, Send, Transport } from "./transport.ts";

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
  close(): void;
}

/**
 * The followers of one client, and what they say of their connections together. `order`: the transport
 * that is wanted, then what to fall back to. `inUse` is kept for commands to go over it.
 */
export function createFollow(
  order: readonly Transport[],
  limits: Limits,
  random: (() => number) | undefined,
  inUse: Set<Send>,
  url: string,
  setStatus: (status: ConnectionStatus) => void,
  debug?: (message: string) => void,
) {
  /** Each follower's own connection, by what has it try again. */
  const followers = new Map<() => void, ConnectionStatus>();
  let transport: ConnectionStatus["transport"] = null;
  /** Where a connection worked last: a fallback found once is not searched for with every run. */
  let preferred = 0;
  /** When the wanted one is to be tried again (`performance.now`, which no change of the clock moves) … */
  let probeDue = 0;
  /** … and how long after it failed last. */
  let probeDelay = limits.probe;

  const publish = (): void => setStatus(statusOf([...followers.values()], transport));

  /**
   * `current` is read; `rivals` are opened at the cursor where there is none, or beside it while it is
   * silent, or to get back from the fallback: the wanted transport, and after `limits.dial` without a
   * word the next one too, so at most three connections. The first rival to speak is the current one,
   * and only then the others are closed (make before break). What several tell is dropped by its number.
   */
  function follow(run: string, { after: cursor, signal }: FollowOptions = {}): AsyncGenerator<Frame, void> {
    const lifetime = new AbortController();
    let seq = 0;
    let tries = 0;
    let current: Link | undefined;
    /** When that last spoke. `Date.now` goes on while a computer sleeps, `performance.now` need not. */
    let heard = 0;
    const rivals = new Set<Link>();
    /** Of the next try: to connect at all, or to get back from the fallback. */
    let retryTimer: ReturnType<typeof setTimeout> | undefined;
    let sleepTimer: typeof retryTimer;
    let queue: Frame[] = [];
    /** A connection is opened only when the reader has caught up. */
    let behind = true;
    let failure: unknown;
    let notify = () => {};

    function report(change: Partial<ConnectionStatus>): void {
      followers.set(wake, { ...followers.get(wake)!, ...change });
      publish();
    }

    function connect(n = preferred, probe = false): void {
      behind = queue.length > limits.inbox;
      if (behind) return;
      report({ retryAt: null });
      const { name, open } = order[n]!;
      const closing = new AbortController();
      let last = n + 1 === order.length;
      /** Over the time between two pings. One that opens and then falls mute is not worth hurrying back to. */
      let lasted = false;
      /** For its first word, and then for the next. */
      let timer = setTimeout(() => {
        timer = setTimeout(disconnected, limits.open);
        if (!link.probe) connectNext();
      }, limits.dial);
      const link: Link = {
        n,
        probe,
        close() {
          clearTimeout(timer);
          inUse.delete(send!);
          closing.abort();
          rivals.delete(link);
          if (link === current) current = undefined;
        },
      };
      rivals.add(link);
      const { done, send } = open({ run, ...(cursor && { after: cursor }) }, receive, closing.signal);
      done.then(finish, disconnected);

      /** Goes on to the transport after this one, once. */
      function connectNext(): void {
        if (!last) connect(n + 1);
        last = true;
      }

      function receive(frame: Frame): void {
        if (rivals.delete(link)) {
          closeRivals();
          current?.close();
          current = link;
          if (send) inUse.add(send);
          report({ state: "open", transport: (transport = name), error: null });
          if (n > preferred) probeDue = performance.now() + probeDelay;
          preferred = n;
          if (n) schedule(upgrade, probeDue - performance.now());
          else clearTimeout(retryTimer);
          scheduleSleep();
        } else if (link !== current) return;
        // It spoke up in time.
        else closeRivals(true);
        clearTimeout(timer);
        lasted ||= frame.type === "stream.ping";
        timer = setTimeout(handoff, limits.silence, lasted ? 0 : (n + 1) % order.length);
        heard = Date.now();

        if ("data" in frame) {
          if (frame.seq <= seq) return;
          ({ seq, id: cursor } = frame);
          tries = 0;
        } else if (frame.type === "stream.reset") {
          debug?.(`reset ${run} ${frame.reason}`);
          if (frame.reason !== "evicted") seq = 0;
        } else if ("server_time" in frame) {
          report({ trouble: frame.trouble ?? null });
          if (frame.type === "stream.ping") {
            tries = 0;
            if (!n) probeDelay = limits.probe;
          }
        }
        queue.push(frame);
        notify();
        if (frame.type === "stream.end" || "final" in frame) finish();
        else if (queue.length > limits.inbox) disconnected();
      }

      /** What is not a CrewError has nothing to say. */
      function disconnected(error?: unknown): void {
        const wasRival = rivals.has(link);
        if (!wasRival && link !== current) return;
        link.close();
        const said = error instanceof CrewError && error;
        if (wasRival && current) {
          if (link.probe) return;
          // A refusal is no last word yet: it may have been of a second connection.
        } else if (said && !said.temporary) return finish(said);
        if (wasRival) connectNext();
        if (wasRival && rivals.size) return;
        current?.close();
        if (wasRival) preferred = 0;
        let retryAt = null;
        if (!rivals.size) {
          const ms = backoff(tries++, random);
          retryAt = Date.now() + ms;
          schedule(reconnect, ms);
        }
        report({
          state: globalThis.navigator?.onLine === false ? "offline" : "reconnecting",
          // Of a sidecar that is out of reach nothing is known.
          trouble: null,
          error: said || (wasRival ? unreachable(url) : lost()),
          retryAt,
        });
      }
    }

    function closeRivals(butProbes = false): void {
      for (const rival of rivals) if (!(butProbes && rival.probe)) rival.close();
    }

    function reconnect(): void {
      if (!current && !rivals.size) connect();
    }

    /** Opens a rival to a silent connection; the one that speaks first is kept. */
    function handoff(n: number): void {
      if (!rivals.size) connect(n);
      for (const rival of rivals) rival.probe = false;
    }

    /** Tries the transport that is wanted. The first follower to do so says when all of them do so again. */
    function upgrade(): void {
      const now = performance.now();
      if (now >= probeDue) {
        probeDelay = Math.min(probeDelay * 2, limits.probeMost);
        probeDue = now + probeDelay;
      }
      if (!rivals.size) connect(0, true);
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
      report({ state: "asleep", trouble: null, error: null, retryAt: null });
    }

    /** The page is back, or the network came or went: timers may have stood still, and what failed before may work. */
    function wake({ type, persisted }: { readonly type?: string; readonly persisted?: boolean } = {}): void {
      scheduleSleep();
      if (type === "visibilitychange" && document.hidden) return;
      tries = probeDue = 0;
      probeDelay = limits.probe;
      // A page from the back/forward cache (`persisted`) has its sockets closed, told or not.
      if (current && (persisted || type === "offline" || Date.now() - heard > PING)) handoff(0);
      else if (current?.n) upgrade();
      else reconnect();
    }

    function closeAll(): void {
      clearTimeout(retryTimer);
      clearTimeout(sleepTimer);
      current?.close();
      closeRivals();
    }

    function finish(error?: unknown): void {
      failure ??= error;
      lifetime.abort();
      closeAll();
      notify();
    }

    async function* read(): AsyncGenerator<Frame, void> {
      report({ state: "connecting", transport });
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
          if (behind) reconnect();
          await new Promise<void>((resolve) => (notify = resolve));
        }
      } finally {
        finish();
        followers.delete(wake);
        publish();
      }
    }

    const frames = read();
    const end = frames.return.bind(frames);
    // At once: a generator's own would wait until the `next()` that is under way has got something.
    frames.return = (value) => {
      finish();
      return end(value);
    };
    return frames;
  }

  return {
    follow,
    /** Whoever waits to try again does so now. */
    reconnect(): void {
      for (const wake of followers.keys()) wake();
    },
  };
}
