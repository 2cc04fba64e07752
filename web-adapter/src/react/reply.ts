import type { ChatModelRunOptions, ChatModelRunResult } from "@assistant-ui/react";
import type { CrewClient } from "../client.ts";
import { CrewError } from "../errors.ts";
import { emptyRun, type RunView } from "../view.ts";
import { snapshots } from "../snapshots.ts";
import { failed } from "../result.ts";

/** Gives a run to tell of when its turn has come: starts it, or knows it. */
export type Job = () => Promise<string>;

/** What a reply leaves to the one that takes its place, while its run goes on. */
export interface Handoff {
  /** The live run first, then those that wait for it. */
  readonly jobs: readonly [Job, ...Job[]];
  readonly view: RunView;
  /** Id of the reply's message. */
  readonly reply: string | undefined;
  /** Resolves when the reply that took over has ended. */
  readonly done: Promise<void>;
  end(): void;
}

/** What the replies of a page have in common. */
export interface ThreadState {
  /** Where a reply leaves its run for the one that takes over. */
  handoff?: Handoff | undefined;
  /** The conversation's last run, as far as this page knows. */
  newest: string;
}

export interface ReplyPlan {
  readonly jobs: readonly Job[];
  /** What is known of the first one. */
  readonly view?: RunView | undefined;
  /** What this reply takes over. */
  readonly before?: Handoff | undefined;
  /** Why the message itself came to nothing. */
  readonly refusal?: CrewError | undefined;
}

/**
 * Runs as one reply that grows.
 *
 * assistant-ui (0.12.28 and 0.15.21 alike) says by `signal.reason.detach` why it aborts: false is its
 * Stop button, true an unmount. No `detach` at all is another message; `run` is then called before
 * anything else can happen, and takes the handoff. An abort whose handoff nobody takes is a Stop.
 */
export async function* streamReply(
  client: CrewClient,
  thread: ThreadState,
  show: (view: RunView) => ChatModelRunResult,
  { abortSignal: signal, unstable_assistantMessageId: reply }: ChatModelRunOptions,
  { jobs, view = emptyRun, before, refusal }: ReplyPlan,
): AsyncGenerator<ChatModelRunResult, void> {
  let content: ChatModelRunResult["content"] = refusal && [{ type: "text", text: refusal.message }];
  let result: ChatModelRunResult = { content: content ?? [] };
  let waiting = [...jobs];
  let current: Promise<string> | undefined;
  let handoff: Handoff | undefined;
  let onAbort = () => {};
  const stop = () => current?.then((run) => client.cancel(run, "stopped")).catch(() => {});
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      const { detach } = signal.reason as { detach?: boolean };
      if (detach === false) void stop();
      else if (!detach) thread.handoff = handoff = createHandoff([() => current!, ...waiting], view, reply);
      reject(signal.reason);
    };
  });
  aborted.catch(() => {});
  signal.addEventListener("abort", onAbort);
  try {
    for (let job; (job = waiting.shift()); view = emptyRun) {
      const head = content ?? [];
      current = job();
      if (signal.aborted) onAbort();
      const run = await Promise.race([current, aborted]);
      for await (view of snapshots(client.follow(run, { signal }), 16, view)) {
        const { status, ...shown } = show(view);
        content = [...head, ...(shown.content ?? [])];
        // A status is the last word: what follows it would not count.
        yield (result = { ...shown, content, ...(status && !waiting.length && !refusal && { status }) });
      }
    }
    if (refusal) throw refusal;
  } catch (error) {
    if (signal.aborted) {
      // Ends the message here and now, although the generator does not end yet.
      if (handoff && handoff !== thread.handoff) yield result;
      // assistant-ui takes "cancelled" from its own AbortError only.
      throw signal.reason;
    }
    if (!(error instanceof CrewError)) throw error;
    // Told as a status: a thrown error would also surface as an unhandled rejection.
    const { status, metadata } = failed(error.code, error.message);
    yield { ...result, status, metadata: { custom: { ...result.metadata?.custom, ...metadata.custom } } };
  } finally {
    signal.removeEventListener("abort", onAbort);
    before?.end();
    if (handoff && handoff === thread.handoff) {
      thread.handoff = undefined;
      void stop();
    }
    // 0.12.28 forgets the abort controller of the newest reply when an older one ends: Stop would do nothing.
    else await handoff?.done;
  }
}

function createHandoff(jobs: Handoff["jobs"], view: RunView, reply: string | undefined): Handoff {
  let end = () => {};
  const done = new Promise<void>((resolve) => (end = resolve));
  return { jobs, view, reply, done, end };
}
