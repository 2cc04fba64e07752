"use client";

import {
  ActionBarPrimitive,
  MessagePrimitive,
  useAuiState,
  type DataMessagePartProps,
  type MessageStatus,
  type TextMessagePartProps,
} from "@assistant-ui/react";
import type { RunView } from "crew-web-adapter";
import { CREW_PART } from "crew-web-adapter/react";
import { Answer, Footnote, NotRunning, Problem } from "./Outcome";
import { Progress } from "./Progress";
import { says } from "./useCommand";
import { useRun } from "./useRun";

/** What the crew did, then what it says, then what that took. */
export function AssistantMessage() {
  return (
    <MessagePrimitive.Root className="assistant">
      <MessagePrimitive.Parts
        components={{ Text: Words, data: { by_name: { [CREW_PART]: Tasks } }, tools: { Override: Nothing } }}
      />
      <Trouble />
      <End />
    </MessagePrimitive.Root>
  );
}

function Tasks({ data: run }: DataMessagePartProps<RunView>) {
  const live = useAuiState(({ message }) => message.status?.type === "running");
  const stopped = useAuiState(({ message }) => isStopped(message.status));
  return <Progress run={run} live={live} stopped={stopped} />;
}

/** While the crew works its words stand with the agent who writes them; here is only the result. */
function Words({ text }: TextMessagePartProps) {
  const done = useRun()?.state === "completed";
  return done && text ? <Answer text={text} /> : null;
}

/** Tools are shown with the task that used them, questions with the task that asked. */
const Nothing = () => null;

interface ErrorNote {
  readonly code: string;
  readonly message: string;
}

function Trouble() {
  const begun = useRun() !== undefined;
  const error = useAuiState(({ message: { status } }) =>
    status?.type === "incomplete" && status.reason === "error" ? (status.error as unknown as ErrorNote) : null,
  );
  if (!error) return null;
  const again = <ActionBarPrimitive.Reload className="link">Try again</ActionBarPrimitive.Reload>;
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
    <Problem title="The crew couldn’t finish" action={again}>
      {error.message}
    </Problem>
  ) : (
    <Problem title="The crew couldn’t start" action={again}>
      {says(error)}
    </Problem>
  );
}

function End() {
  const run = useRun();
  const status = useAuiState(({ message }) => message.status);
  return run && status?.type !== "running" ? <Footnote run={run} stopped={isStopped(status)} /> : null;
}

const isStopped = (status: MessageStatus | undefined): boolean =>
  status?.type === "incomplete" && status.reason === "cancelled";
