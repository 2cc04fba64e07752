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
        <p
          className="connection"
          data-state={state}
          data-transport={transport ?? "none"}
          title={`Sidecar at ${crew.url}`}
        >
          <span className="connection-dot" aria-hidden />
          <span className="connection-name">{WORDS[state] ?? name ?? "Connecting…"}</span>
        </p>
      )}
      {/* Always there: a screen reader tells what changes in it. */}
      <p className="trouble" role="status">
        {state === "offline"
          ? "You are offline. The run goes on, and this page catches up when the network is back."
          : trouble &&
            `The sidecar cannot store events: ${trouble.replace(/\.$/, "")}. The run goes on by itself when it can.`}
      </p>
    </>
  );
}

/** Where the name of the transport would not say it. */
const WORDS: Record<string, string> = { reconnecting: "Reconnecting…", offline: "Offline", asleep: "Catching up…" };
