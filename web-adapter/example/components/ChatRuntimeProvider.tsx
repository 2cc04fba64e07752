"use client";

import { AssistantRuntimeProvider, useLocalRuntime } from "@assistant-ui/react";
import { createCrewAdapter, createCrewHistory } from "crew-web-adapter/react";
import type { ReactNode } from "react";
import { crew, runs } from "./crew";
import { tasksToReview } from "./review";

const adapter = createCrewAdapter(crew, { runs, review: tasksToReview });
const adapters = { history: createCrewHistory(crew, { runs }) };

export function ChatRuntimeProvider({ children }: { children: ReactNode }) {
  return (
    <AssistantRuntimeProvider runtime={useLocalRuntime(adapter, { adapters })}>{children}</AssistantRuntimeProvider>
  );
}
