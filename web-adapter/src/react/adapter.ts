import type { ChatModelAdapter, ChatModelRunResult, ThreadMessage } from "@assistant-ui/react";
import { CrewError } from "../errors.ts";
import type { CrewClient } from "../client.ts";
import type { RunView, Step } from "../reducer.ts";
import { snapshots } from "../snapshots.ts";
import type { RunMemory } from "./memory.ts";

/** Name of the `data` part whose data is the whole RunView. */
export const CREW_PART = "crew";

export interface CrewAdapterOptions {
  /** What a brief becomes; by default the last user message's text as `{message}`. */
  readonly toInputs?: (messages: readonly ThreadMessage[]) => Readonly<Record<string, unknown>>;
  /** What a run becomes; by default `toResult`. */
  readonly toResult?: (view: RunView) => ChatModelRunResult;
  /** Which crew of the sidecar; by default its default one. */
  readonly crew?: string;
  /** Names of the tasks after which the crew asks before it goes on; looked up with each start. */
  readonly review?: () => readonly string[];
  /** Notes each run as soon as it exists, for `createCrewHistory` to find it after a reload. */
  readonly runs?: RunMemory;
}

/**
 * A crew as the chat model of assistant-ui's `useLocalRuntime`: one message, one run.
 *
 * The Stop button cancels the run; leaving the page does not.
 */
export function createCrewAdapter(client: CrewClient, options: CrewAdapterOptions = {}): ChatModelAdapter {
  const { toInputs = lastMessage, toResult: show = toResult, crew, review, runs } = options;
  return {
    async *run({ messages, abortSignal }) {
      // Not aborted with the signal: a start that is under way has to be cancelled by its run's id.
      const started = client.start(toInputs(messages), { crew, review: review?.() }).then((run) => {
        runs?.save([...runs.list(), run]);
        return run;
      });
      yield* tell(client, started, abortSignal, show);
    },
  };
}

/** A run as a reply that grows. Stop cancels the run; a page that is left lets go of it. */
export async function* tell(
  client: CrewClient,
  started: Promise<string>,
  signal: AbortSignal,
  show: (view: RunView) => ChatModelRunResult,
): AsyncGenerator<ChatModelRunResult, void> {
  let result: ChatModelRunResult = { content: [] };
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      if (isStop(signal)) started.then((run) => client.cancel(run, "stopped")).catch(() => {});
      reject(signal.reason);
    };
  });
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    const run = await Promise.race([started, aborted]);
    for await (const view of snapshots(client.follow(run, { signal }))) yield (result = show(view));
  } catch (error) {
    // assistant-ui takes "cancelled" from its own AbortError only.
    if (signal.aborted) throw signal.reason;
    if (!(error instanceof CrewError)) throw error;
    // Told as a status: a thrown error would also surface as an unhandled rejection.
    yield { ...result, status: failed(error.code, error.message) };
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * The parts of one view: a `data` part named `crew` with the view itself, a `tool-call` part per
 * tool, and a text: while the crew works what is being written at the moment, at the end the output.
 */
export function toResult(view: RunView): ChatModelRunResult {
  const steps = [...view.tasks.flatMap((task) => task.steps), ...view.steps];
  return {
    content: [
      { type: "data", name: CREW_PART, data: view },
      ...steps.flatMap((step) => (step.kind === "tool" ? [toolPart(step)] : [])),
      { type: "text", text: "output" in view ? (view.output ?? "") : writing(view) },
    ],
    metadata: { custom: { run: view.run } },
    ...statusOf(view),
  };
}

function statusOf(view: RunView): Pick<ChatModelRunResult, "status"> {
  switch (view.state) {
    case "completed":
      return { status: { type: "complete", reason: "stop" } };
    case "failed":
      return { status: failed(view.error.code, view.error.message) };
    case "cancelled":
      return { status: { type: "incomplete", reason: "cancelled" } };
    case "interrupted":
      return { status: failed("interrupted", "The sidecar was stopped.") };
    default:
      return {};
  }
}

const failed = (code: string, message: string) =>
  ({ type: "incomplete", reason: "error", error: { code, message } }) as const;

function toolPart({ id, tool, args, result, state }: Step & { kind: "tool" }) {
  return {
    type: "tool-call" as const,
    toolCallId: id,
    toolName: tool,
    args: (args !== null && typeof args === "object" ? args : { input: args }) as Record<string, never>,
    argsText: JSON.stringify(args, null, 2),
    ...(state !== "running" && { result, isError: state === "failed" }),
  };
}

/** The latest text of the task that is at work (the last one, when several are). */
function writing(view: RunView): string {
  const task = view.tasks.findLast(({ state }) => state === "running");
  const call = (task?.steps ?? view.steps).findLast((step) => step.kind === "call" && step.text !== "");
  return call?.kind === "call" ? call.text : "";
}

const lastMessage = (messages: readonly ThreadMessage[]) => ({
  message: (messages.findLast(({ role }) => role === "user")?.content ?? [])
    .flatMap((part) => (part.type === "text" ? [part.text] : []))
    .join("\n"),
});

/** assistant-ui aborts with `detach: true` when it unmounts, with `false` for its Stop button. */
const isStop = (signal: AbortSignal): boolean => !(signal.reason as { detach?: boolean } | undefined)?.detach;
