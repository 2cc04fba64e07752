import { ExportedMessageRepository, type ThreadHistoryAdapter, type ThreadMessageLike } from "@assistant-ui/react";
import { CrewError, lost } from "../errors.ts";
import { loadThread, type LostRun, type PastRun } from "../past.ts";
import { deadline } from "../timer.ts";
import { emptyRun, type RunView } from "../view.ts";
import type { Conversation } from "./memory.ts";
import { streamReply, type Job, type Thread } from "./reply.ts";
import type { LocalOptions } from "./options.ts";
import { notice } from "./report.ts";
import { failedView, wordOf } from "./turns.ts";

/**
 * A conversation that survives a reload: rebuilt from its thread in the sidecar and the logs of its
 * runs, so that nothing but the thread's id is kept in the browser. Runs that are still live are
 * followed on. What could not be loaded is said in its place.
 */
export function createHistory(thread: Thread, noted: Conversation, options: () => LocalOptions): ThreadHistoryAdapter {
  const { client, show, report } = thread;
  let live: Job[] = [];

  async function recall(id: string, ms: number): Promise<(PastRun | LostRun)[]> {
    const bound = deadline(ms, lost());
    const runs: (PastRun | LostRun)[] = [];
    try {
      for await (const run of loadThread(client, id, bound)) runs.unshift(run);
      return runs;
    } finally {
      bound.stop();
    }
  }

  return {
    async load() {
      thread.loaded++;
      onlyOne(thread);
      const { patience = 10_000, toText = wordOf, initialMessages = [] } = options();
      const items: ExportedMessageRepository["messages"] = [];
      /** Id of the message that each run ends with; that of no run is where the conversation begins. */
      const ends = new Map<string | null, string | null>();
      let head: string | null = null;

      function append(like: ThreadMessageLike): void {
        const { message } = ExportedMessageRepository.fromArray([like]).messages[0]!;
        items.push({ message, parentId: head });
        head = message.id;
      }
      function reply(id: string, view: RunView): void {
        const { content = [], status, metadata } = show(view);
        append({ role: "assistant", id, content, ...(status && { status }), ...(metadata && { metadata }) });
      }

      initialMessages.forEach(append);
      ends.set(null, head);
      live = [];
      const id = noted.noted();
      try {
        for (const past of id === undefined ? [] : await recall(id, patience)) {
          const { run, after, inputs } = past;
          // What it followed may be gone: then it stands where it was told.
          const end = ends.get(after);
          if (end !== undefined) head = end;
          append({ role: "user", id: `${run}-brief`, content: toText(inputs) });
          if ("error" in past) {
            report("onError", past.error);
            reply(run, failedView({ ...emptyRun, run, inputs }, past.error));
          } else {
            const { view, said } = past;
            for (const [command, content] of said) append({ role: "user", id: command, content });
            notice(client, report, view, true);
            if (past.live) live.push({ view, begin: async () => ({ run, view }) });
            else reply(run, view);
          }
          ends.set(run, head);
          thread.newest = run;
        }
      } catch (error) {
        if (!(error instanceof CrewError)) throw error;
        report("onError", error);
        reply("not-loaded", failedView(emptyRun, error));
      }
      return { messages: items, headId: head, unstable_resume: live.length > 0 };
    },
    resume: (asked) => streamReply(thread, asked, live),
    // The sidecar has it all.
    append: async () => {},
  };
}

/** Two threads would show one conversation, and each the other's replies. */
export function onlyOne({ loaded }: Thread): void {
  if (loaded > 1) throw new Error(ONE_THREAD);
}

const ONE_THREAD =
  "This adapter of createCrewAdapter has a thread already. Make one for each mounted chat, " +
  "useState(() => createCrewAdapter(client)); a list of threads takes useCrewRuntime(client).";
