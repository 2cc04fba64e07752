"use client";

import { useCrewConnection } from "crew-web-adapter/react";
import { useEffect, useSyncExternalStore } from "react";
import { crew, sidecar } from "./crew";
import { onStill, setStill, stillSince } from "./still";
import { says } from "./useCommand";
import { useNow } from "./useNow";

const NAMES = { ws: "WebSocket", sse: "server-sent events" } as const;

const WORDS = {
  idle: "",
  connecting: "Connecting…",
  open: "Live",
  reconnecting: "Reconnecting…",
  offline: "Offline",
  asleep: "Catching up…",
} as const;

/** Ms that a break lasts before anything is said of it: most are mended before anybody could have read that. */
const LASTING = 1_000;

/** Whether what is shown is live, in a word; nothing where nothing is followed. By which transport, to whoever asks. */
export function Connection() {
  const { state, transport, error } = useCrewConnection(crew);
  const broken = state === "offline" || (state === "reconnecting" && error !== null);
  useEffect(() => {
    if (!broken) return;
    const timer = setTimeout(setStill, LASTING, true);
    return () => {
      clearTimeout(timer);
      setStill(false);
    };
  }, [broken]);
  const followed = state !== "idle";
  const by = transport ? NAMES[transport] : undefined;
  return (
    <p
      className="connection"
      data-state={state}
      data-transport={transport ?? "none"}
      title={followed ? `${by ? `By ${by}, from` : "From"} the sidecar at ${sidecar.address()}` : undefined}
      hidden={!followed}
    >
      <span className="connection-dot" aria-hidden />
      <span>
        {WORDS[state]}
        {state === "open" && by && <span className="sr-only"> by {by}</span>}
      </span>
    </p>
  );
}

/** Whether the connection has been lost for longer than a moment. */
export const useLost = (): boolean =>
  useSyncExternalStore(
    onStill,
    () => stillSince() !== null,
    () => false,
  );

/** What is wrong between page and sidecar, and what can be done; nothing as long as nothing is. */
export function Trouble() {
  const { state, trouble, error, retryAt } = useCrewConnection(crew);
  const lost = useLost();
  const full = trouble && `The sidecar cannot store events: ${trouble.replace(/\.$/, "")}.`;
  return (
    // Always there: a screen reader tells what changes in it, and must not be told each second.
    <div className="trouble" data-on={lost || full ? "" : undefined}>
      <p role="status">
        {lost && state === "offline"
          ? "You are offline. The run goes on, and this page catches up when the network is back."
          : lost
            ? // Of a sidecar that answers, but not so, the reason says what to do.
              error && !["lost", "unreachable"].includes(error.code)
              ? `Connection lost: ${says({ message: error.message })}`
              : "Connection lost"
            : full && `${full} The run goes on by itself when it can.`}
      </p>
      {lost && state !== "offline" && <Retry at={retryAt} />}
    </div>
  );
}

function Retry({ at }: { readonly at: number | null }) {
  const now = useNow(1_000, true);
  const left = at === null ? 0 : Math.ceil((at - now) / 1_000);
  return (
    <>
      <span className="trouble-when">{left > 0 ? `retrying in ${left} s` : "retrying…"}</span>
      <button type="button" className="link" onClick={() => crew.reconnect()}>
        Retry now
      </button>
    </>
  );
}
