import { useAuiState } from "@assistant-ui/react";
import type { RunView } from "../view.ts";
import { CREW_PART } from "../result.ts";

/** The newest run of the thread that is shown, whichever runtime shows it; null: there is none. */
export const useLiveRun = (): RunView | null =>
  useAuiState(({ thread }) => {
    for (const { content } of thread.messages.toReversed())
      for (const part of content) if (part.type === "data" && part.name === CREW_PART) return part.data as RunView;
    return null;
  });
