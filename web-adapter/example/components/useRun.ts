import { useAuiState } from "@assistant-ui/react";
import { isFinal, type RunView } from "crew-web-adapter";
import { CREW_PART } from "crew-web-adapter/react";

interface Part {
  readonly type: string;
  readonly name?: string;
  readonly data?: unknown;
}

/** The crew's run among the parts of a message: of several the one that is live, else the newest. */
export function runOf(parts: readonly Part[] | undefined): RunView | undefined {
  const runs = (parts ?? []).flatMap(({ type, name, data }) =>
    type === "data" && name === CREW_PART ? [data as RunView] : [],
  );
  return runs.findLast(({ state }) => !isFinal(state)) ?? runs.at(-1);
}

/** The run that the surrounding message shows. */
export const useRun = (): RunView | undefined => useAuiState(({ message }) => runOf(message.content));

/** The run that is going on, if one is and has been heard of. */
export const useLiveRun = (): RunView | undefined =>
  useAuiState(({ thread }) => (thread.isRunning ? runOf(thread.messages.at(-1)?.content) : undefined));

/** The run that the newest message shows, going on or ended. */
export const useNewestRun = (): RunView | undefined =>
  useAuiState(({ thread }) => runOf(thread.messages.at(-1)?.content));
