import { backoff } from "./backoff.ts";
import { busy, CrewError } from "./errors.ts";
import type { Ack, Command } from "./protocol.ts";
import type { Limits, Send } from "./transport.ts";

/** A kept command that was not acked yet. */
export interface PendingCommand {
  readonly id: string;
  readonly command: Command;
  /** Unix ms. */
  readonly since: number;
  /** A first try has failed, or had no answer within `limits.hedge`: whether it took effect is unknown. */
  readonly unconfirmed: boolean;
}

/**
 * The commands of one client, `limits.outstanding` at most. One that is kept ends with its ack, a
 * refusal that is not temporary, or its signal: until then it is sent again under its id, which does
 * nothing twice, and those of the same run behind it wait.
 */
export function createOutbox(
  inUse: Iterable<Send>,
  post: Send,
  limits: Limits,
  random: (() => number) | undefined,
  changed: () => void,
  debug?: (message: string, detail?: unknown) => void,
) {
  /** What has each of them tried now. */
  const unanswered = new Set<() => void>();

  function change(pending: readonly PendingCommand[]): void {
    outbox.pending = pending;
    changed();
  }

  const outbox = {
    pending: [] as readonly PendingCommand[],

    send: (command: Command, id: string, keep: boolean, signal?: AbortSignal) =>
      new Promise<Ack>((resolve, reject) => {
        signal?.throwIfAborted();
        if (unanswered.size >= limits.outstanding) throw busy();
        const json = JSON.stringify({ id, ...command });
        const { run } = command as Addressed;
        const entry = { id, command, since: Date.now(), unconfirmed: false };
        const over = new AbortController();
        const underWay = new Set<Send>();
        const say = (what: string, detail?: unknown) => debug?.(`${command.cmd} ${id} ${what}`, detail);
        let tries = 0;
        let timer = setTimeout(doubt, limits.hedge, 0);

        /** Commands address runs, not connections: any open socket will do, and where that says nothing a POST too. */
        function go(): void {
          if (keep && outbox.pending.find((other) => (other.command as Addressed).run === run) !== entry) return;
          const [socket = post] = inUse;
          for (const send of entry.unconfirmed ? [socket, post] : [socket]) if (!underWay.has(send)) void deliver(send);
        }

        async function deliver(send: Send): Promise<void> {
          say("sent");
          underWay.add(send);
          try {
            const reply = await send(id, json, over.signal);
            if (!reply.ok) throw new CrewError(reply.error);
            say("acked");
            resolve(reply);
            end();
          } catch (error) {
            underWay.delete(send);
            if (over.signal.aborted) return;
            say("failed", error);
            const { code, temporary } = error as CrewError;
            // No word for better or worse: it may have arrived. The same id again is safe: answered, not done twice.
            if (keep ? temporary : /^(unreachable|lost)$/.test(code) && tries < limits.retries)
              return doubt(backoff(tries++, random));
            reject(error);
            end();
          }
        }

        /** Goes by all ways there are in `ms`. */
        function doubt(ms: number): void {
          entry.unconfirmed = true;
          change([...outbox.pending]);
          clearTimeout(timer);
          timer = setTimeout(go, ms);
        }

        function end(): void {
          clearTimeout(timer);
          over.abort();
          unanswered.delete(go);
          change(outbox.pending.filter((other) => other !== entry));
          outbox.retry();
        }

        const options = { signal: over.signal };
        signal?.addEventListener("abort", () => (reject(signal.reason), end()), options);
        // Node has none.
        for (const type of ["online", "pageshow"]) globalThis.addEventListener?.(type, go, options);
        unanswered.add(go);
        change(keep ? [...outbox.pending, entry] : outbox.pending);
        go();
      }),

    /** Whoever waits for the next try makes it now. */
    retry(): void {
      for (const go of unanswered) go();
    },
  };
  return outbox;
}

/** Commands but a start and a list are about a run. */
interface Addressed {
  readonly run?: string;
}
