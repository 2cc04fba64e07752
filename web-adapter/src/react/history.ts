import {
  ExportedMessageRepository,
  type ChatModelRunOptions,
  type ChatModelRunResult,
  type ThreadHistoryAdapter,
  type ThreadMessageLike,
} from "@assistant-ui/react";
import type { CrewClient } from "../client.ts";
import { hasCode, lost } from "../errors.ts";
import { CHAT_ID } from "../past.ts";
import { reduce } from "../reducer.ts";
import { deadline } from "../timer.ts";
import { emptyRun, isFinal, type RunView } from "../view.ts";
import type { RunMemory } from "./memory.ts";
import type { CrewAdapterOptions } from "./options.ts";
import type { ThreadState } from "./reply.ts";
import { failed } from "../result.ts";

/**
 * A conversation that survives a reload: rebuilt from the logs of its runs, so that nothing but
 * their ids is kept in the browser. Runs that are still live are followed on.
 */
export function createHistory(
  client: CrewClient,
  runs: RunMemory,
  thread: ThreadState,
  options: () => CrewAdapterOptions,
  show: (view: RunView) => ChatModelRunResult,
  follow: (asked: ChatModelRunOptions, live: readonly string[]) => AsyncGenerator<ChatModelRunResult, void>,
): ThreadHistoryAdapter {
  /** The live runs that `load` came upon. */
  let live: string[] = [];

  return {
    async load() {
      const { patience = 10_000, toText = ({ message }) => (typeof message === "string" ? message : "") } = options();
      const items: { message: ThreadMessageLike; parentId: string | null }[] = [];
      /** Id of the message that each run ends with; that of no run is where the conversation begins. */
      const ends = new Map<string, string | null>([["", null]]);
      let head: string | null = null;
      const appendMessage = (message: ThreadMessageLike & { readonly id: string }): void => {
        items.push({ message, parentId: head });
        head = message.id;
      };
      const bound = deadline(patience, lost());
      live = [];
      try {
        for (const run of runs.list()) {
          const after = ends.get(runs.after(run) ?? "?");
          const past = await replay(client, run, bound.signal).catch(ifUnknown);
          if (!past) {
            runs.forget(run);
            if (ends.size > 1) continue;
            // Once, and in front: it is the oldest that go.
            if (!head) appendMessage(EVICTED);
            ends.set("", head);
            continue;
          }
          if (after !== undefined) head = after;
          appendMessage({ role: "user", id: `${run}-brief`, content: toText(past.inputs) });
          for (const [id, content] of past.said) appendMessage({ role: "user", id, content });
          const { content = [], status, metadata } = show(past.view);
          if (!isFinal(past.view.state)) live.push(run);
          else
            appendMessage({
              role: "assistant",
              id: run,
              content,
              ...(status && { status }),
              ...(metadata && { metadata }),
            });
          ends.set(run, head);
          thread.newest = run;
        }
      } catch {
        // The rest stays noted: a sidecar that is away now may be there at the next reload.
      } finally {
        bound.stop();
      }
      return { ...ExportedMessageRepository.fromBranchableArray(items), unstable_resume: live.length > 0 };
    },
    resume: (asked) => follow(asked, live),
    // The logs have it all.
    append: async () => {},
  };
}

const EVICTED = {
  role: "assistant",
  id: "gone",
  content: [],
  ...failed("unknown_run", "The sidecar no longer keeps the earlier runs of this conversation."),
} as const;

/** Of a run that the sidecar does not know (any more) nothing is left to show. */
function ifUnknown(error: unknown): undefined {
  if (!hasCode(error, "unknown_run")) throw error;
}

/** A run as far as its log goes by now, and what was said to it in the chat. */
async function replay(client: CrewClient, run: string, signal: AbortSignal) {
  let inputs: Readonly<Record<string, unknown>> = {};
  let view: RunView = emptyRun;
  const said: [id: string, text: string][] = [];
  for await (const frame of client.follow(run, { signal })) {
    if (frame.type === "stream.live") break;
    if (frame.type === "run.queued") inputs = frame.data.inputs;
    if ("data" in frame && frame.cause?.startsWith(CHAT_ID)) {
      if (frame.type === "input.answered") said.push([frame.cause, frame.data.text]);
      if (frame.type === "run.modifying" && "instruction" in frame.data)
        said.push([frame.cause, frame.data.instruction]);
    }
    view = reduce(view, frame);
  }
  return { inputs, view, said };
}
