"use client";

import { useAuiState } from "@assistant-ui/react";
import type { RunView } from "crew-web-adapter";
import { runOf } from "./useRun";

/** Tells a screen reader what the page shows by moving: one sentence per change of state, never the words themselves. */
export function Announcer() {
  const text = useAuiState(({ thread }) => {
    const last = thread.messages.at(-1);
    if (last?.role !== "assistant") return "";
    if (last.status?.type === "incomplete") return last.status.reason === "cancelled" ? "Stopped." : "";
    const run = runOf(last.content);
    return run ? sentence(run) : "";
  });
  return (
    <p className="sr-only" role="status" aria-live="polite">
      {text}
    </p>
  );
}

function sentence(run: RunView): string {
  if (run.state === "completed") return "The crew has finished.";
  const at = run.tasks.findIndex(({ state }) => state === "running");
  const task = run.tasks[at];
  return task ? `${task.agent} is working, task ${at + 1} of ${run.tasks.length}.` : "The crew is starting.";
}
