"use client";

import { useCrewConnection } from "crew-web-adapter/react";
import { crew } from "./crew";

const NAMES = { ws: "WebSocket", sse: "Server-sent events" } as const;

/** Which transport is in use, and whether it holds. Quiet as long as all is well. */
export function Connection() {
  const { state, transport, trouble } = useCrewConnection(crew);
  const name = transport && NAMES[transport];
  return (
    <>
      {(state !== "idle" || name) && (
        <p className="connection" data-state={state} data-transport={transport ?? "none"} title={`Sidecar at ${crew.url}`}>
          <span className="connection-dot" aria-hidden />
          {state === "reconnecting" ? "Reconnecting…" : (name ?? "Connecting…")}
        </p>
      )}
      {/* Always there: a screen reader tells what changes in it. */}
      <p className="trouble" role="status">
        {trouble && `The sidecar cannot store events: ${trouble.replace(/\.$/, "")}. The run goes on by itself when it can.`}
      </p>
    </>
  );
}
