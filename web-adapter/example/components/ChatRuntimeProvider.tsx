"use client";

import { AssistantRuntimeProvider } from "@assistant-ui/react";
import { useCrewRuntime } from "crew-web-adapter/react";
import type { ReactNode } from "react";
import { crew } from "./crew";
import { tasksToReview } from "./review";

export function ChatRuntimeProvider({ children }: { children: ReactNode }) {
  const runtime = useCrewRuntime(crew, { review: tasksToReview });
  return <AssistantRuntimeProvider runtime={runtime}>{children}</AssistantRuntimeProvider>;
}
