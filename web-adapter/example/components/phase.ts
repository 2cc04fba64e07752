import { type PendingCommand, type QuestionView, type RunState, type RunView } from "crew-web-adapter";
import { retryingOf, whyRetrying } from "./retrying";
import { workedFor } from "./worked";

/** A run's state in a word or two, for lists. */
export const STATES: Record<RunState, string> = {
  queued: "Queued",
  starting: "Starting",
  running: "Running",
  pausing: "Pausing",
  paused: "Paused",
  waiting: "Waiting for you",
  cancelling: "Stopping",
  completed: "Done",
  failed: "Failed",
  cancelled: "Stopped",
  interrupted: "Interrupted",
};

export interface Phase {
  readonly title: string;
  readonly detail?: string;
}

/** What a run is at, in words. `undefined`: not yet heard of. */
export function phaseOf(run: RunView | undefined): Phase {
  switch (run?.state) {
    case undefined:
      return { title: "Starting…" };
    case "queued":
      return run.position > 0 ? { title: "Queued", detail: placeInLine(run.position) } : { title: "Starting…" };
    case "running": {
      const planned = run.tasks.filter((task) => task.in === null);
      const at = planned.findIndex(({ state }) => state === "running");
      const task = planned[at] ?? run.tasks.findLast(({ state }) => state === "running");
      const method = run.work.findLast(({ kind, state }) => kind === "method" && state === "running");
      const retry = retryingOf(run);
      if (retry) return { title: `${task?.agent || "The crew"} waits for the model`, detail: whyRetrying(retry) };
      const detail = at >= 0 ? `task ${at + 1} of ${planned.length}` : method?.name.replaceAll("_", " ");
      return { title: `${task?.agent || "The crew"} is working`, ...(detail && { detail }) };
    }
    case "pausing":
      return { title: "Pausing…" };
    case "paused":
      return { title: "Paused", detail: "Nothing happens until you resume" };
    case "waiting":
      return { title: "Waiting for you", detail: `${askerOf(run)} asks` };
    case "cancelling":
      return { title: "Stopping…" };
    case "completed":
      return { title: "The crew has finished" };
    case "cancelled":
      return { title: "Stopped" };
    case "failed":
    case "interrupted":
      return { title: "The crew couldn’t finish" };
  }
}

/** `position`: in line, from 1. */
export function placeInLine(position: number): string {
  const ahead = position - 1;
  return ahead < 1 ? "next in line" : `${ahead.toLocaleString("en")} ${ahead === 1 ? "run" : "runs"} ahead`;
}

/** Who wants to know, for the middle of a sentence; a question of `run`, by default the open one. */
export function askerOf(run: RunView, question?: QuestionView): string {
  const within = question ?? run.notes.find((note) => note.kind === "question" && note.state === "open");
  const task = within && run.tasks.find(({ tid }) => tid === within.in);
  const method = within && "method" in within ? within.method : undefined;
  return task?.agent.trim() || method?.replaceAll("_", " ") || "The crew";
}

/** How long a run has worked by `now` (ms), pauses and questions left out, and what that took; empty before it began. */
export function soFar(run: RunView, now: number): readonly string[] {
  const lasted = workedFor(run, now);
  const tokens = run.usage.prompt_tokens + run.usage.completion_tokens;
  if (lasted === null) return [];
  const whole = Math.floor(lasted);
  const time = whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return tokens > 0 ? [time, `${tokens.toLocaleString("en")} tokens`] : [time];
}

const UNDER_WAY: Partial<Record<PendingCommand["command"]["cmd"], string>> = {
  pause: "Pausing…",
  resume: "Resuming…",
  cancel: "Stopping…",
  answer: "Answering…",
};

/** What was asked of a run that the sidecar has not confirmed: whether it happened, nobody here can say. */
export const unconfirmed = ({ cmd }: PendingCommand["command"]): Phase => ({
  title: UNDER_WAY[cmd] ?? "Sending…",
  detail: "not confirmed, will be sent again when the sidecar is back",
});

/** The same as a sentence for a screen reader, and what the crew asks. */
export function sentenceOf(run: RunView): string {
  const { title, detail } = phaseOf(run);
  const question = run.state === "waiting" ? [" ", run.input.prompt, ...(run.input.options ?? [])].join(" ") : "";
  return `${[title, detail].filter(Boolean).join(", ")}.${question}`;
}
