import { useAuiState } from "@assistant-ui/react";
import type { RunView } from "../view.ts";
import { CREW_PART } from "../result.ts";

/** The newest run of the thread that is shown, whichever runtime shows it; null: there is none. */
export const useLiveRun = (): RunView | null =>
  useAuiState(({ thread }) => {
    for (const { content } of thread.messages.toReversed()) {
      for (const part of content) {
        const view = part.type === "data" && part.name === CREW_PART ? (part.data as RunView) : undefined;
        // What says that something came to nothing is no run.
        if (view && (view.run ?? view.state !== "failed")) return view;
      }
    }
    return null;
  });
