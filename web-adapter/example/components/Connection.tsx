"use client";

import { useCrewConnection } from "crew-web-adapter/react";
import { crew } from "./crew";

const NAMES = { ws: "WebSocket", sse: "Server-sent events" } as const;

/** Which transport is in use, and whether it holds. Quiet as long as all is well. */
export function Connection() {
  const { state, transport } = useCrewConnection(crew);
  const name = transport && NAMES[transport];
  if (state === "idle" && !name) return null;
  return (
    <p className="connection" data-state={state} data-transport={transport ?? "none"} title={`Sidecar at ${crew.url}`}>
      <span className="connection-dot" aria-hidden />
      {state === "reconnecting" ? "Reconnecting…" : (name ?? "Connecting…")}
    </p>
  );
}
