import type { ChatModelAdapter, ChatModelRunResult, ThreadHistoryAdapter, ThreadMessage } from "@assistant-ui/react";
import type { CrewClient } from "../client.ts";
import { busy } from "../errors.ts";
import type { RunView } from "../view.ts";
import { createHistory } from "./history.ts";
import { conversation, type RunMemory } from "./memory.ts";
import type { CrewAdapterOptions } from "./options.ts";
import { toResult } from "../result.ts";
import { steer } from "./steer.ts";
import { streamReply, type Handoff, type Job, type ReplyPlan, type ThreadState } from "./reply.ts";

export interface CrewAdapter {
  readonly chatModel: ChatModelAdapter;
  readonly history: ThreadHistoryAdapter;
  readonly runs: RunMemory;
}

/**
 * A crew for assistant-ui's `useLocalRuntime(chatModel, { adapters: { history } })`: one message, one
 * run. The Stop button cancels the run; leaving the page does not.
 */
export const createCrewAdapter = (client: CrewClient, options: CrewAdapterOptions = {}): CrewAdapter =>
  createAdapter(client, () => options);

/** The same, with options that may change: but for `conversation` they are asked for with each use. */
export function createAdapter(client: CrewClient, options: () => CrewAdapterOptions): CrewAdapter {
  const runs = conversation(client, options().conversation);
  const thread: ThreadState = { newest: "" };
  const show = (view: RunView): ChatModelRunResult => {
    const { metadata, ...shown } = (options().toResult ?? toResult)(view);
    return { ...shown, metadata: { ...metadata, custom: { ...metadata?.custom, run: view.run } } };
  };

  const chatModel: ChatModelAdapter = {
    async *run(asked) {
      const { messages } = asked;
      const before = thread.handoff;
      thread.handoff = undefined;
      const start: Job = async () => {
        const { toInputs = lastMessage, crew, review } = options();
        const run = await client.start(toInputs(messages), { crew, review: review?.() });
        const after = messages.map(runOf).findLast(Boolean) ?? "";
        // Only an edit branches off: what another tab has noted meanwhile must not look like one.
        runs.add(run, after === thread.newest ? undefined : after);
        thread.newest = run;
        return run;
      };
      const plan = before ? takeOver(client, before, start, messages, options().whileLive) : { jobs: [start] };
      yield* streamReply(client, thread, show, asked, plan);
    },
  };
  const history = createHistory(client, runs, thread, options, show, (asked, live) =>
    streamReply(client, thread, show, asked, { jobs: live.map((run) => async () => run) }),
  );
  return { chatModel, history, runs };
}

/** What a message comes to whose predecessor's run is live. */
function takeOver(
  client: CrewClient,
  before: Handoff,
  start: Job,
  messages: readonly ThreadMessage[],
  policy: CrewAdapterOptions["whileLive"] = "steer",
): ReplyPlan {
  const { jobs, view, reply } = before;
  const [live, ...others] = jobs;
  // An edit or a reload takes the live reply's place instead of following it.
  const redone = !messages.some(({ id }) => id === reply);
  if (policy === "queue") return { jobs: [...jobs, start], view, before };
  if (policy === "reject") return { jobs, view, before, refusal: busy(BUSY) };
  if (policy === "steer" && !redone) {
    const { message } = lastMessage(messages);
    const next = async () => ((await steer(client, await live(), view, message)) ? live() : start());
    return { jobs: [next, ...others], view, before };
  }
  const stopped = live().then((run) => client.cancel(run, "interrupted"));
  return { jobs: [() => stopped.then(start, start)], before };
}

const BUSY =
  "Not sent: the crew is still at the message before. Send it again when the crew is done, or stop the crew first.";

const lastMessage = (messages: readonly ThreadMessage[]) => ({
  message: (messages.findLast(({ role }) => role === "user")?.content ?? [])
    .flatMap((part) => (part.type === "text" ? [part.text] : []))
    .join("\n"),
});

const runOf = ({ metadata }: ThreadMessage) => metadata?.custom["run"] as string | undefined;
