import type { RunView } from "crew-web-adapter";

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
      return run.position > 0
        ? { title: "Queued", detail: `${run.position} ${run.position === 1 ? "run" : "runs"} ahead` }
        : { title: "Starting…" };
    case "running": {
      const at = run.tasks.findIndex(({ state }) => state === "running");
      const task = run.tasks[at];
      return task
        ? { title: `${task.agent} is working`, detail: `task ${at + 1} of ${run.tasks.length}` }
        : { title: "The crew is working" };
    }
    case "pausing":
      return { title: "Pausing…" };
    case "paused":
      return { title: "Paused", detail: "Nothing happens until you resume" };
    case "waiting":
      return { title: "Waiting for you", detail: "The crew has a question" };
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

/** The same as a sentence for a screen reader, and what the crew asks. */
export function sentenceOf(run: RunView): string {
  const { title, detail } = phaseOf(run);
  const question = run.state === "waiting" ? ` ${run.input.prompt}` : "";
  return `${[title, detail].filter(Boolean).join(", ")}.${question}`;
}
