"use client";

import { useAuiState, type DataMessagePartProps, type MessageStatus } from "@assistant-ui/react";
import type { RunView } from "crew-web-adapter";
import { Report } from "./Report";

/** A run as a part of a message: what the crew did, then what it says. */
export function RunPart({ data: run }: DataMessagePartProps<RunView>) {
  const live = useAuiState(({ message }) => message.status?.type === "running");
  const stopped = useAuiState(({ message }) => isStopped(message.status));
  return <Report run={run} live={live} stopped={stopped} />;
}

export const isStopped = (status: MessageStatus | undefined): boolean =>
  status?.type === "incomplete" && status.reason === "cancelled";
