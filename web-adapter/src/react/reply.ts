import type { ChatModelRunOptions, ChatModelRunResult } from "@assistant-ui/react";
import type { CrewClient } from "../client.ts";
import { CrewError, hasCode } from "../errors.ts";
import { reduce } from "../reducer.ts";
import { failed } from "../result.ts";
import { snapshots } from "../snapshots.ts";
import type { RunView } from "../view.ts";
import { notice, watch, type Report } from "./report.ts";
import { failedView } from "./turns.ts";

/** A run, and what is known of it. */
export interface Known {
  readonly run: string;
  readonly view: RunView;
  /** Why the message itself came to nothing. */
  readonly refusal?: CrewError;
  /** Nothing is to be shown before; a Stop need not wait for it. */
  readonly ready?: Promise<unknown>;
}

/** A run to tell of when its turn has come. */
export interface Job {
  /** What is known of it before it has begun. */
  readonly view: RunView;
  /** Starts it, or finds it. */
  begin(): Promise<Known>;
}

/** What a reply leaves to the one that takes its place, while its run goes on. */
export interface Handoff {
  /** The live run first, then those that wait for it. */
  readonly jobs: readonly [Job, ...Job[]];
  /** Id of the reply's message. */
  readonly reply: string | undefined;
  /** It is the same message that goes on. */
  same?: boolean;
}

interface Reply {
  /** Another one has begun; `done` resolves when that has ended. */
  succeed(by: { readonly done: Promise<void> }): void;
}

/** What the replies of a thread have in common. */
export interface Thread {
  readonly client: CrewClient;
  readonly show: (view: RunView) => ChatModelRunResult;
  readonly report: Report;
  /** Where a reply leaves its run for the one that takes over. */
  handoff?: Handoff | undefined;
  reply?: Reply;
  /** How many threads assistant-ui has made of it. */
  loaded: number;
  /** The last run, as far as this page knows; "" for none. */
  newest: string;
}

type Content = NonNullable<ChatModelRunResult["content"]>;

/**
 * Runs as one reply that grows.
 *
 * assistant-ui (0.12.3 to 0.15.21 alike) says by `signal.reason.detach` why it aborts: false is its
 * Stop button, true an unmount. No `detach` at all is another message, or the result of a tool call; `run` is then
 * called before anything else can happen, and takes the handoff. An abort whose handoff nobody takes is a Stop.
 */
export async function* streamReply(
  thread: Thread,
  { abortSignal: signal, unstable_assistantMessageId: reply }: ChatModelRunOptions,
  jobs: readonly Job[],
): AsyncGenerator<ChatModelRunResult, void> {
  const { client, show, report } = thread;
  let head: Content = [];
  let result: ChatModelRunResult = { content: head };
  let refusal: CrewError | undefined;
  const waiting = [...jobs];
  let view = jobs[0]!.view;
  let current: Promise<Known> | undefined;
  let known: Known | undefined;
  let handoff: Handoff | undefined;
  let stopping: Promise<unknown> | undefined;
  let next: Parameters<Reply["succeed"]>[0] | undefined;
  let end = () => {};
  const done = new Promise<void>((resolve) => (end = resolve));
  const succeeded = new Promise<void>((resolve) => {
    thread.reply?.succeed({ done });
    thread.reply = {
      succeed(by) {
        next = by;
        resolve();
      },
    };
  });

  const stop = async (): Promise<void> => {
    const { run } = (await current)!;
    await cancel(thread, { run, view }, "stopped");
  };

  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      const { detach } = signal.reason as { detach?: boolean };
      if (detach === false) stopping = stop().catch(() => {});
      else if (!detach) {
        const { run } = known ?? {};
        const live: Job = { view, begin: async () => (run ? { run, view } : current!) };
        thread.handoff = handoff = { jobs: [live, ...waiting], reply };
      }
      reject(signal.reason);
    };
  });
  aborted.catch(() => {});
  signal.addEventListener("abort", onAbort);
  try {
    for (let job; (job = waiting.shift());) {
      ({ view } = job);
      known = undefined;
      current = job.begin();
      if (signal.aborted) onAbort();
      known = await Promise.race([current, aborted]);
      await Promise.race([known.ready, aborted]);
      if (known.refusal) {
        refusal = known.refusal;
        report("onError", refusal);
        head = [...head, { type: "text", text: refusal.message }];
      }
      for await (view of snapshots(watch(client, report, known.run, known.view.id, signal), 16, known.view)) {
        const { status, ...shown } = show(view);
        notice(client, report, view);
        // A last word is the last: what follows it would not count.
        const last = !waiting.length && !refusal;
        result = {
          ...shown,
          content: [...head, ...(shown.content ?? [])],
          status: (last && status) || (view.state === "waiting" ? ASKS : WORKS),
        };
        yield result;
      }
      head = result.content ?? [];
    }
    if (refusal) yield withError(result, refusal);
  } catch (error) {
    if (signal.aborted) {
      const taken = handoff && handoff !== thread.handoff;
      if (handoff && !taken) {
        thread.handoff = undefined;
        stopping = stop().catch(() => {});
      }
      // It has stopped once the sidecar says so, and that may take as long as the sidecar is away.
      await Promise.race([stopping, succeeded]);
      if (handoff?.same) return;
      // Ends the message here and now, although the generator does not end yet.
      if (next) yield result;
      // assistant-ui takes "cancelled" from its own AbortError only.
      throw signal.reason;
    }
    if (!(error instanceof CrewError)) throw error;
    report("onError", error);
    // Told as a status: a thrown error would also surface as an unhandled rejection.
    const shown = show(failedView(view, error));
    yield { ...shown, content: [...head, ...(shown.content ?? [])] };
  } finally {
    signal.removeEventListener("abort", onAbort);
    // 0.12 forgets the abort controller of the newest reply when an older one ends: Stop would do nothing.
    if (signal.aborted) await next?.done;
    end();
  }
}

const WORKS = { type: "running" } as const;
/** assistant-ui begins another round of the same message when this is given its result. */
const ASKS = { type: "requires-action", reason: "tool-calls" } as const;

/** Resolves when the sidecar has taken it. That the run has ended is then told as of any other. */
export async function cancel(thread: Thread, known: Known, reason: string): Promise<void> {
  const { client, report } = thread;
  const told = (error: unknown): void => {
    if (!(error instanceof CrewError)) throw error;
    report("onError", error);
  };
  const toEnd = async (): Promise<void> => {
    let { view } = known;
    for await (const frame of watch(client, report, known.run, view.id)) view = reduce(view, frame);
    notice(client, report, view);
  };
  try {
    await client.cancel(known.run, reason);
  } catch (error) {
    // It has ended meanwhile.
    if (!hasCode(error, "illegal_state")) {
      told(error);
      throw error;
    }
  }
  toEnd().catch(told);
}

function withError(result: ChatModelRunResult, { code, message }: CrewError): ChatModelRunResult {
  const { status, metadata } = failed(code, message);
  return {
    ...result,
    status,
    metadata: { ...result.metadata, custom: { ...result.metadata?.custom, ...metadata.custom } },
  };
}
