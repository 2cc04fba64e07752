"use client";

import { AssistantRuntimeProvider, useLocalRuntime } from "@assistant-ui/react";
import { createCrewAdapter } from "crew-web-adapter/react";
import type { ReactNode } from "react";
import { crew } from "./crew";

const adapter = createCrewAdapter(crew);

export function ChatRuntimeProvider({ children }: { children: ReactNode }) {
  return <AssistantRuntimeProvider runtime={useLocalRuntime(adapter)}>{children}</AssistantRuntimeProvider>;
}
