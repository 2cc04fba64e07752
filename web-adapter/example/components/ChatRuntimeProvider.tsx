"use client";

import { AssistantRuntimeProvider } from "@assistant-ui/react";
import { useCrewRuntime } from "crew-web-adapter/react";
import { useEffect, type ReactNode } from "react";
import { keepInMind, nameInAddress, useThreadInAddress } from "./address";
import { crew } from "./crew";
import { tasksToReview } from "./review";

export function ChatRuntimeProvider({ children }: { children: ReactNode }) {
  const threadId = useThreadInAddress();
  useEffect(() => keepInMind(threadId), [threadId]);
  const runtime = useCrewRuntime(crew, { review: tasksToReview, threadId, onThreadIdChange: nameInAddress });
  return <AssistantRuntimeProvider runtime={runtime}>{children}</AssistantRuntimeProvider>;
}
