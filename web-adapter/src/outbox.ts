import { backoff } from "./backoff.ts";
import { busy, CrewError } from "./errors.ts";
import type { Ack, Command, Refusal } from "./protocol.ts";
import { deadline, rejectOnAbort, within } from "./timer.ts";
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
  const unanswered = new Set<{ -readonly [Key in keyof PendingCommand]: PendingCommand[Key] } & { keep: boolean }>();
  const rests = new Set<() => void>();
  const runOf = (command: object) => (command as { run?: string }).run;

  function change(): void {
    outbox.pending = [...unanswered].filter(({ keep }) => keep);
    changed();
  }

  /** Until `ms` have passed, or the sidecar may be back. */
  async function rest(ms: number, signal?: AbortSignal): Promise<void> {
    const { signal: over, stop } = deadline(ms, null, signal);
    rests.add(stop);
    // Node has none.
    for (const type of ["online", "pageshow"]) globalThis.addEventListener?.(type, stop, { signal: over });
    await rejectOnAbort(over).catch(() => rests.delete(stop));
    signal?.throwIfAborted();
  }

  const outbox = {
    pending: [] as readonly PendingCommand[],

    async send(command: Command, id: string, keep: boolean, signal?: AbortSignal): Promise<Ack> {
      if (unanswered.size >= limits.outstanding) throw busy();
      const json = JSON.stringify({ id, ...command });
      const entry = { id, command, since: Date.now(), unconfirmed: false, keep };
      const say = (what: string, detail?: unknown) => debug?.(`${command.cmd} ${id} ${what}`, detail);
      let timer: ReturnType<typeof setTimeout>;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, limits.hedge))).then(doubt);

      function doubt(): void {
        entry.unconfirmed = true;
        change();
      }

      /** One try. Commands address runs, not connections: any open socket will do, and where it says nothing a POST. */
      async function deliver(until: AbortSignal): Promise<Ack> {
        say("sent");
        const [overSocket] = inUse;
        const reply = await new Promise<Ack | Refusal>((resolve, reject) => {
          const byPost = () => void post(id, json, until).then(resolve, reject);
          if (!overSocket) return byPost();
          overSocket(id, json, until).then(resolve, byPost);
          void late.then(byPost);
        });
        if (!reply.ok) throw new CrewError(reply.error);
        say("acked");
        return reply;
      }

      unanswered.add(entry);
      change();
      try {
        for (let tries = 0; ;) {
          if (keep && outbox.pending.find((other) => runOf(other.command) === runOf(command)) !== entry) {
            await rest(10_000, signal);
            continue;
          }
          try {
            return await within(limits.ack, deliver, signal);
          } catch (error) {
            say("failed", error);
            const { code, temporary } = error as Partial<CrewError>;
            // No word for better or worse: it may have arrived. The same id again is safe: answered, not done twice.
            if (signal?.aborted || !(keep ? temporary : /^(unreachable|lost)$/.test(code!) && tries < limits.retries))
              throw error;
          }
          doubt();
          await rest(backoff(tries++, random), signal);
        }
      } finally {
        clearTimeout(timer!);
        unanswered.delete(entry);
        change();
        outbox.retry();
      }
    },

    /** Whoever waits for the next try makes it now. */
    retry(): void {
      for (const stop of rests) stop();
    },
  };
  return outbox;
}
