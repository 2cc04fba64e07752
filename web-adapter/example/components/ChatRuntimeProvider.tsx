"use client";

import { AssistantRuntimeProvider } from "@assistant-ui/react";
import { useCrewRuntime, useCrews } from "crew-web-adapter/react";
import { useEffect, type ReactNode } from "react";
import { keepInMind, nameInAddress, useThreadInAddress } from "./address";
import { seeCrew } from "./choices";
import { crew } from "./crew";
import { useListed } from "./listed";
import { startOptions } from "./start";

export function ChatRuntimeProvider({ children }: { children: ReactNode }) {
  const threadId = useThreadInAddress();
  useEffect(() => keepInMind(threadId), [threadId]);
  const { crews } = useCrews(crew);
  const runtime = useCrewRuntime(crew, {
    ...startOptions(crews),
    threadId,
    listed: useListed(),
    onThreadIdChange: nameInAddress,
    onFinish: (view, { restored }) => seeCrew(view.thread, view.crew, restored),
  });
  return <AssistantRuntimeProvider runtime={runtime}>{children}</AssistantRuntimeProvider>;
}
