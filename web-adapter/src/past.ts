import type { CrewClient } from "./client.ts";
import { CrewError } from "./errors.ts";
import { reduce } from "./reducer.ts";
import type { RunSnapshot } from "./protocol.ts";
import { emptyRun, isFinal, viewOf, type RunView } from "./view.ts";

/** What the ids of commands begin with that were messages in the chat: after a reload they are again. */
export const CHAT_ID = "chat.";

interface RunOfThread {
  readonly run: string;
  /** The run whose reply it follows; null for one that begins the conversation. */
  readonly after: string | null;
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** A run of a conversation, as far as its log goes by now. */
export interface PastRun extends RunOfThread {
  readonly view: RunView;
  /** What was sent to it in the chat while it was live: the command's id, and the text. */
  readonly said: readonly (readonly [id: string, text: string])[];
  /** It goes on: `client.follow(run, { after: view.id })`. */
  readonly live: boolean;
}

/** One that can't be told (any more). */
export interface LostRun extends RunOfThread {
  readonly error: CrewError;
}

/** Logs read at the same time. */
const AT_ONCE = 4;

/** So many of the newest runs are told in whole; of those before them no more than snapshots say, where these are whole. */
const TOLD = 20;

/**
 * The runs of a thread from their logs, newest first; the next ones are read meanwhile, and held until
 * they are asked for or the signal aborts. Throws what `client.thread` throws, and the reason of that
 * abort; one that is a CrewError is given with each run that is not told by then instead.
 */
export async function* loadThread(
  client: Pick<CrewClient, "follow" | "thread">,
  thread: string,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<PastRun | LostRun, void> {
  const { runs } = await client.thread(thread, { signal });
  const ahead: Promise<PastRun | LostRun>[] = [];
  let next = runs.length;
  while (next || ahead.length) {
    while (next && ahead.length < AT_ONCE) {
      const older = next-- <= runs.length - TOLD;
      const one = recall(client, runs[next]!, older, signal);
      // Told when its turn has come.
      one.catch(() => {});
      ahead.push(one);
    }
    yield ahead.shift()!;
  }
}

async function recall(
  client: Pick<CrewClient, "follow">,
  snapshot: RunSnapshot,
  older: boolean,
  signal: AbortSignal,
): Promise<PastRun | LostRun> {
  const { run, after, inputs, state, truncated } = snapshot;
  const said: [id: string, text: string][] = [];
  if (older && isFinal(state) && !truncated) return { run, after, inputs, view: viewOf(snapshot), said, live: false };
  let view: RunView = emptyRun;
  try {
    for await (const frame of client.follow(run, { signal })) {
      if (frame.type === "stream.live") break;
      // From its beginning, unless what was seen holds.
      if (frame.type === "stream.reset" && frame.reason !== "evicted") said.length = 0;
      if ("data" in frame && frame.cause?.startsWith(CHAT_ID)) {
        if (frame.type === "input.answered") said.push([frame.cause, frame.data.text]);
        if (frame.type === "run.modifying" && "instruction" in frame.data)
          said.push([frame.cause, frame.data.instruction]);
      }
      view = reduce(view, frame);
    }
  } catch (error) {
    if (error instanceof CrewError) return { run, after, inputs, error };
    throw error;
  }
  // Of a snapshot that was cut they are the beginnings.
  return { run, after, inputs: truncated ? view.inputs : inputs, view, said, live: !isFinal(view.state) };
}
