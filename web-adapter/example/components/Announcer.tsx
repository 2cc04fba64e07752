"use client";

import { useAuiState } from "@assistant-ui/react";
import { sentenceOf } from "./phase";
import { runOf } from "./useRun";

/** Tells a screen reader what the page shows by moving: a sentence per change of state, never the words. */
export function Announcer() {
  const text = useAuiState(({ thread }) => {
    const last = thread.messages.at(-1);
    if (last?.role !== "assistant") return "";
    if (last.status?.type === "incomplete") return last.status.reason === "cancelled" ? "Stopped." : "";
    const run = runOf(last.content);
    return run ? sentenceOf(run) : "";
  });
  return (
    <p className="sr-only" role="status" aria-live="polite">
      {text}
    </p>
  );
}
