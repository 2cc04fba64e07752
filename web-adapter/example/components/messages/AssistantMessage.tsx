"use client";

import { ActionBarPrimitive, MessagePrimitive, useAuiState } from "@assistant-ui/react";
import { CREW_PART } from "crew-web-adapter/react";
import { focusComposer } from "../composer-focus";
import { AssistantActions } from "./AssistantActions";
import { Failed } from "../Failed";
import { NotRunning } from "../NotRunning";
import { Footnote, Problem } from "../Outcome";
import { isStopped, RunPart } from "../RunPart";
import { says } from "../useCommand";
import { useRun } from "../useRun";

/** What the crew did, then what it says, then what that took. */
export function AssistantMessage() {
  const last = useAuiState(({ message }) => message.isLast && message.status?.type !== "running");
  return (
    <MessagePrimitive.Root className="assistant" role="article" aria-label="The crew" data-last={last || undefined}>
      <MessagePrimitive.Parts
        components={{
          Text: Nothing,
          Reasoning: Nothing,
          data: { by_name: { [CREW_PART]: RunPart } },
          tools: { Override: Nothing },
        }}
      />
      <Trouble />
      <End />
    </MessagePrimitive.Root>
  );
}

/** Words stand with the agent who writes them, tools with the task that used them, questions with the one that asked. */
const Nothing = () => null;

interface ErrorNote {
  readonly code: string;
  readonly message: string;
}

function Trouble() {
  const run = useRun();
  const begun = run?.run != null;
  const error = useAuiState(({ message: { metadata } }) => (metadata.custom["error"] as ErrorNote | undefined) ?? null);
  if (!error) return null;
  const again = (
    <ActionBarPrimitive.Reload className="link" onClick={focusComposer}>
      Try again
    </ActionBarPrimitive.Reload>
  );
  if (error.code === "unreachable") return <NotRunning action={again} />;
  if (error.code === "unknown_run") {
    return begun ? (
      <Problem title="The sidecar no longer has this run" action={again}>
        It keeps the newest ones only, or its data folder was emptied.
      </Problem>
    ) : (
      <Problem title="Earlier runs are gone">{says(error)}</Problem>
    );
  }
  return begun ? (
    <Failed error={run.state === "failed" ? run.error : error} model={run.model} action={again} />
  ) : (
    <Problem title="The crew couldn’t start" action={again}>
      {says(error)}
    </Problem>
  );
}

function End() {
  const run = useRun();
  const status = useAuiState(({ message }) => message.status);
  if (!run) return null;
  const stopped = isStopped(status);
  return (
    <>
      {status?.type !== "running" && <Footnote run={run} stopped={stopped} />}
      <AssistantActions run={run} stopped={stopped} />
    </>
  );
}
