import { ExportedMessageRepository, type ThreadHistoryAdapter, type ThreadMessageLike } from "@assistant-ui/react";
import type { CrewClient } from "../client.ts";
import { CrewError, lost } from "../errors.ts";
import { emptyRun, isFinal, reduce, type RunView } from "../reducer.ts";
import { deadline } from "../timer.ts";
import { tell, toResult, type CrewAdapterOptions } from "./adapter.ts";
import type { RunMemory } from "./memory.ts";

export interface CrewHistoryOptions {
  /** The same as the adapter's. */
  readonly runs: RunMemory;
  readonly toResult?: CrewAdapterOptions["toResult"];
  /** What a run's inputs were as a message: the inverse of the adapter's `toInputs`. By default `message`. */
  readonly toText?: (inputs: Readonly<Record<string, unknown>>) => string;
  /** Ms that rebuilding may take; runs that were not told by then are left out. */
  readonly patience?: number;
}

/**
 * A conversation that survives a reload: rebuilt from the logs of its runs, so that nothing but
 * their ids is kept in the browser. A run that is still live is followed on.
 */
export function createCrewHistory(client: CrewClient, options: CrewHistoryOptions): ThreadHistoryAdapter {
  const { runs, patience = 10_000, toText = ({ message }) => String(message ?? "") } = options;
  const show = options.toResult ?? toResult;
  /** The live run that `load` came upon. */
  let live: string | undefined;

  return {
    async load() {
      const messages: ThreadMessageLike[] = [];
      const known = runs.list();
      const watch = deadline(patience, lost());
      live = undefined;
      try {
        for (const run of known) {
          const past = await recall(client, run, watch.signal).catch(forget(run));
          if (!past) continue;
          const { content = [], status } = show(past.view);
          messages.push({ role: "user", id: `${run}-brief`, content: toText(past.inputs) });
          if (run === known.at(-1) && !isFinal(past.view.state)) live = run;
          else messages.push({ role: "assistant", id: run, content, status: status ?? CUT_OFF });
        }
      } catch {
        // The rest stays noted: a sidecar that is away now may be there at the next reload.
      } finally {
        watch.stop();
      }
      return { ...ExportedMessageRepository.fromArray(messages), unstable_resume: live !== undefined };
    },
    resume: ({ abortSignal }) => tell(client, Promise.resolve(live!), abortSignal, show),
    // The logs have it all.
    append: async () => {},
  };

  /** Of a run that the sidecar does not know (any more) nothing is left to show. */
  function forget(run: string) {
    return (error: unknown) => {
      if (!(error instanceof CrewError) || error.code !== "unknown_run") throw error;
      runs.save(runs.list().filter((other) => other !== run));
      return undefined;
    };
  }
}

const CUT_OFF = { type: "incomplete", reason: "cancelled" } as const;

/** A run as far as its log goes by now. */
async function recall(client: CrewClient, run: string, signal: AbortSignal) {
  let inputs: Readonly<Record<string, unknown>> = {};
  let view: RunView = emptyRun;
  for await (const frame of client.follow(run, { signal })) {
    if (frame.type === "stream.live") break;
    if (frame.type === "run.queued") inputs = frame.data.inputs;
    view = reduce(view, frame);
  }
  return { inputs, view };
}
