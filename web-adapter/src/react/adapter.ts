import type { ChatModelAdapter, ChatModelRunResult, ThreadHistoryAdapter, ThreadMessage } from "@assistant-ui/react";
import type { CrewClient } from "../client.ts";
import { busy } from "../errors.ts";
import type { RunView } from "../reducer.ts";
import { createHistory } from "./history.ts";
import { conversation, type RunMemory } from "./memory.ts";
import { toResult } from "./result.ts";
import { steer } from "./steer.ts";
import { tell, type Job, type Left, type Relay, type Telling } from "./tell.ts";

export interface CrewAdapterOptions {
  /** What a brief becomes; by default the last user message's text as `{message}`. */
  readonly toInputs?: (messages: readonly ThreadMessage[]) => Readonly<Record<string, unknown>>;
  /** What a run's inputs were as a message: the inverse of `toInputs`. By default `message`. */
  readonly toText?: (inputs: Readonly<Record<string, unknown>>) => string;
  /** What a run becomes; by default `toResult`. */
  readonly toResult?: (view: RunView) => ChatModelRunResult;
  /** Which crew of the sidecar; by default its default one. */
  readonly crew?: string;
  /** Names of the tasks after which the crew asks before it goes on; looked up with each start. */
  readonly review?: () => readonly string[];
  /**
   * What becomes of a message that is sent while a run is live:
   *
   * - `steer` (default): it goes to the crew, as the answer to its open question or as an instruction
   * - `queue`: it starts a run when the live one has ended
   * - `interrupt`: the live run is cancelled, then it starts one
   * - `reject`: it is refused with the code `busy`
   */
  readonly whileLive?: "steer" | "queue" | "interrupt" | "reject";
  /** Name of the conversation in the client's storage. */
  readonly conversation?: string;
  /** Ms that rebuilding the conversation may take; runs that were not told by then are left out. */
  readonly patience?: number;
}

export interface CrewAdapter {
  readonly chatModel: ChatModelAdapter;
  readonly history: ThreadHistoryAdapter;
  readonly runs: RunMemory;
}

/**
 * A crew for assistant-ui's `useLocalRuntime(chatModel, { adapters: { history } })`: one message, one
 * run. The Stop button cancels the run; leaving the page does not.
 */
export function createCrewAdapter(client: CrewClient, options: CrewAdapterOptions = {}): CrewAdapter {
  const runs = conversation(client, options.conversation);
  const relay: Relay = { newest: "" };
  const show = (view: RunView): ChatModelRunResult => {
    const { metadata, ...shown } = (options.toResult ?? toResult)(view);
    return { ...shown, metadata: { ...metadata, custom: { ...metadata?.custom, run: view.run } } };
  };

  const chatModel: ChatModelAdapter = {
    async *run(asked) {
      const { messages } = asked;
      const before = relay.left;
      relay.left = undefined;
      const start: Job = async () => {
        const inputs = (options.toInputs ?? lastMessage)(messages);
        const run = await client.start(inputs, { crew: options.crew, review: options.review?.() });
        const after = messages.map(runOf).findLast(Boolean) ?? "";
        // Only an edit branches off: what another tab has noted meanwhile must not look like one.
        runs.add(run, after === relay.newest ? undefined : after);
        relay.newest = run;
        return run;
      };
      const telling = before ? follow(client, before, start, messages, options.whileLive) : { jobs: [start] };
      yield* tell(client, relay, show, asked, telling);
    },
  };
  const history = createHistory(client, runs, relay, options, show, (asked, live) =>
    tell(client, relay, show, asked, { jobs: live.map((run) => async () => run) }),
  );
  return { chatModel, history, runs };
}

/** What a message comes to whose predecessor's run is live. */
function follow(
  client: CrewClient,
  before: Left,
  start: Job,
  messages: readonly ThreadMessage[],
  policy: CrewAdapterOptions["whileLive"] = "steer",
): Telling {
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

const runOf = ({ metadata }: ThreadMessage) => metadata?.custom.run as string | undefined;
