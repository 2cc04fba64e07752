"use client";

import { useAuiState } from "@assistant-ui/react";
import { sentenceOf } from "./phase";
import { runOf, useNewestRun } from "./useRun";
import { useTitle } from "./useTitle";

/** Tells whoever does not see the page what it shows by moving: a sentence per change of state, and the tab's title. */
export function Announcer() {
  const text = useAuiState(({ thread }) => {
    const last = thread.messages.at(-1);
    if (last?.role !== "assistant") return "";
    if (last.status?.type === "incomplete") return last.status.reason === "cancelled" ? "Stopped." : "";
    const run = runOf(last.content);
    return run ? sentenceOf(run) : "";
  });
  const run = useNewestRun();
  useTitle(typeof run?.inputs["message"] === "string" ? run.inputs["message"] : "", run?.state);
  return (
    <p className="sr-only" role="status" aria-live="polite">
      {text}
    </p>
  );
}
