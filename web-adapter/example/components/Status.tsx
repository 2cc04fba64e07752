"use client";

import type { RunView } from "crew-web-adapter";
import { useLost } from "./Connection";
import { PauseBars } from "./icons";
import { phaseOf, soFar, unconfirmed } from "./phase";
import { useNow } from "./useNow";
import { useUnconfirmed } from "./useUnconfirmed";

/** What the run is at, in one line that stays in sight. */
export function Status({ run }: { readonly run: RunView | undefined }) {
  const pending = useUnconfirmed(run?.run);
  const lost = useLost();
  const state = pending?.cmd === "cancel" ? "cancelling" : (run?.state ?? "queued");
  const { title, detail } = pending ? unconfirmed(pending) : phaseOf(run);
  // What was heard last is not what is: in its place stands that the connection is lost.
  if (lost && !pending) return null;
  const line = (
    <>
      <span className="status-mark" aria-hidden>
        {state === "paused" ? <PauseBars /> : <i />}
      </span>
      <span className="status-title">{title}</span>
      {pending || state !== "running" || !run ? (
        detail && <span className="status-detail">{detail}</span>
      ) : (
        <SoFar run={run} {...(detail && { detail })} />
      )}
    </>
  );
  return state === "waiting" && !pending ? (
    <button type="button" className="status" data-state={state} title="Go to the question" onClick={goToQuestion}>
      {line}
    </button>
  ) : (
    <p className="status" data-state={state} data-unconfirmed={pending?.cmd}>
      {line}
    </p>
  );
}

/** Apart: it ticks. */
function SoFar({ run, detail }: { readonly run: RunView; readonly detail?: string }) {
  const facts = soFar(run, useNow(1_000));
  return <span className="status-detail">{[...(detail ? [detail] : []), ...facts].join(" · ")}</span>;
}

const goToQuestion = () => document.querySelector(".question[data-state=open]")?.scrollIntoView({ block: "center" });
