"use client";

import { useCrewConnection } from "crew-web-adapter/react";
import { useEffect, useState } from "react";
import { crew } from "./crew";
import { says } from "./useCommand";
import { useNow } from "./useNow";

const NAMES = { ws: "WebSocket", sse: "Server-sent events" } as const;

/** Which transport is in use, and whether it holds. Quiet as long as all is well. */
export function Connection() {
  const { state, transport, trouble, error, retryAt } = useCrewConnection(crew);
  const name = transport && NAMES[transport];
  const away = useLasting(state === "reconnecting" && error !== null);
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
          : trouble
            ? `The sidecar cannot store events: ${trouble.replace(/\.$/, "")}. The run goes on by itself when it can.`
            : away && error && says({ message: error.message })}
      </p>
      {away && <Retry at={retryAt} />}
    </>
  );
}

/** Where the name of the transport would not say it. */
const WORDS: Record<string, string> = { reconnecting: "Reconnecting…", offline: "Offline", asleep: "Catching up…" };

/** When the next try is, apart from what a screen reader tells, which would be told each second. */
function Retry({ at }: { readonly at: number | null }) {
  const now = useNow(1_000);
  const left = at === null ? 0 : Math.ceil((at - now) / 1_000);
  return (
    <p className="retry">
      {left > 0 ? `Next try in ${left} s.` : "Trying…"}{" "}
      <button type="button" className="link" onClick={() => crew.reconnect()}>
        Retry now
      </button>
    </p>
  );
}

/** Whether something has held for a second: most breaks are mended before anybody could have read of them. */
function useLasting(holds: boolean): boolean {
  const [lasts, setLasts] = useState(false);
  useEffect(() => {
    if (!holds) return;
    const timer = setTimeout(setLasts, 1_000, true);
    return () => {
      clearTimeout(timer);
      setLasts(false);
    };
  }, [holds]);
  return holds && lasts;
}
