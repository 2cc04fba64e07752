import type { ChatModelAdapter, ChatModelRunResult, ThreadHistoryAdapter, ThreadMessage } from "@assistant-ui/react";
import type { CrewClient } from "../client.ts";
import { busy, CrewError } from "../errors.ts";
import { CREW_QUESTION, toResult } from "../result.ts";
import { emptyRun, type RunView } from "../view.ts";
import { createHistory, onlyOne } from "./history.ts";
import { conversation, type Conversation } from "./memory.ts";
import type { CrewAdapterOptions, LocalOptions } from "./options.ts";
import { cancel, streamReply, type Handoff, type Job, type Thread } from "./reply.ts";
import { createReport } from "./report.ts";
import { steer } from "./steer.ts";
import { BUSY, lastMessage } from "./turns.ts";

export interface CrewAdapter {
  readonly chatModel: ChatModelAdapter;
  readonly history: ThreadHistoryAdapter;
  readonly thread: Conversation;
}

/**
 * A crew for assistant-ui's `useLocalRuntime(chatModel, { adapters: { history } })`: one message, one
 * run, all of them in one thread. The Stop button cancels the run; leaving the page does not. Options
 * that may change are given by a function: but for `conversation` they are asked for with each use.
 */
export function createCrewAdapter(client: CrewClient, given: LocalOptions | (() => LocalOptions) = {}): CrewAdapter {
  const options = typeof given === "function" ? given : () => given;
  const noted = conversation(client, options().conversation);
  const show = (view: RunView): ChatModelRunResult => {
    const { metadata, ...shown } = options().toResult?.(view) ?? toResult(view, options());
    return { ...shown, metadata: { ...metadata, custom: { ...metadata?.custom, run: view.run } } };
  };
  const thread: Thread = { client, show, report: createReport(options), loaded: 0, newest: "" };

  const chatModel: ChatModelAdapter = {
    async *run(asked) {
      onlyOne(thread);
      const { messages } = asked;
      const before = thread.handoff;
      thread.handoff = undefined;
      if (before && before.reply === asked.unstable_assistantMessageId) {
        before.same = true;
        const { content } = asked.unstable_getMessage();
        yield* inPlaceOf(content, streamReply(thread, asked, answered(thread, before, content)));
        return;
      }
      const { toInputs = lastMessage, whileLive = "steer" } = options();
      const inputs = toInputs(messages, noted.id());
      const view: RunView = { ...emptyRun, inputs };
      const start: Job = {
        view,
        async begin() {
          const { crew, review } = options();
          const follows = messages.map(runOf).findLast(Boolean) ?? "";
          const chat = noted.id();
          const run = await client.start(inputs, {
            crew: typeof crew === "function" ? crew(chat) : crew,
            review: review?.(chat),
            thread: chat,
            // Only an edit branches off: what another tab has said meanwhile must not look like one.
            after: follows === thread.newest ? undefined : follows,
            // Which of this page's runs may be live at once is `whileLive`'s to say.
            parallel: true,
          });
          thread.newest = run;
          return { run, view };
        },
      };
      yield* streamReply(thread, asked, before ? takeOver(thread, before, start, messages, whileLive) : [start]);
    },
  };
  return { chatModel, history: createHistory(thread, noted, options), thread: noted };
}

/** What a message comes to whose predecessor's run is live. */
function takeOver(
  thread: Thread,
  { jobs, reply }: Handoff,
  start: Job,
  messages: readonly ThreadMessage[],
  policy: NonNullable<CrewAdapterOptions["whileLive"]>,
): readonly Job[] {
  const [live, ...others] = jobs;
  if (policy === "queue") return [...jobs, start];
  const told = (refusal: CrewError): Job => ({
    ...live,
    begin: async () => ({ ...(await live.begin()), refusal }),
  });
  if (policy === "reject") return [told(busy(BUSY)), ...others];
  // An edit or a reload takes the live reply's place instead of following it.
  if (policy === "steer" && messages.some(({ id }) => id === reply)) {
    const { message } = lastMessage(messages);
    const begin: Job["begin"] = async () => {
      const known = await live.begin();
      try {
        return (await steer(thread.client, known.run, live.view, message)) ? known : await start.begin();
      } catch (error) {
        if (error instanceof CrewError) return told(error).begin();
        throw error;
      }
    };
    return [{ ...live, begin }, ...others];
  }
  const stopped = live.begin().then((known) => cancel(thread, { ...known, view: live.view }, "interrupted"));
  return [{ ...start, begin: () => stopped.then(start.begin, start.begin) }];
}

/** The run goes on in the same message, whose questions have got results by `addResult`: these are answers. */
function answered({ client, report }: Thread, { jobs }: Handoff, content: ThreadMessage["content"]): readonly Job[] {
  const [live, ...others] = jobs;
  const begin: Job["begin"] = async () => {
    const known = await live.begin();
    const answers = content.map(async (part) => {
      if (part.type !== "tool-call" || part.toolName !== CREW_QUESTION || part.result === undefined) return;
      const { run, input } = part.args as { readonly run: string; readonly input: string };
      if (run !== known.run || !live.view.notes.some(({ id, state }) => id === input && state === "open")) return;
      const text = typeof part.result === "string" ? part.result : JSON.stringify(part.result);
      // Refused, because it was answered elsewhere: the run tells how.
      await client.answer(run, input, text).catch((error: CrewError) => report("onError", error));
    });
    return { ...known, ready: Promise.all(answers) };
  };
  return [{ ...live, begin }, ...others];
}

/**
 * assistant-ui puts what another round of a message gives behind what the message had. All of it is told
 * anew here, so that goes, in the very moment in which the new is taken: each look at the message has one or the other.
 */
async function* inPlaceOf(
  before: ThreadMessage["content"],
  results: AsyncGenerator<ChatModelRunResult, void>,
): AsyncGenerator<ChatModelRunResult, void> {
  for await (const { content = [], ...result } of results)
    yield {
      ...result,
      get content() {
        (before as unknown[]).length = 0;
        return content;
      },
    };
}

const runOf = ({ metadata }: ThreadMessage) => metadata?.custom["run"] as string | undefined;
