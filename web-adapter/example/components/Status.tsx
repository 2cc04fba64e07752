"use client";

import type { RunView } from "crew-web-adapter";
import { useLost } from "./Connection";
import { PauseBars } from "./icons";
import { phaseOf, placeInLine, soFar, unconfirmed } from "./phase";
import { retryingOf, triedIn } from "./retrying";
import { useNow } from "./useNow";
import { usePosition } from "./usePosition";
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
      <Detail run={pending ? undefined : run} detail={detail} />
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

interface DetailProps {
  readonly run: RunView | undefined;
  readonly detail: string | undefined;
}

/** How far it is; what an event has told of it, where that goes on by itself, goes on here. */
function Detail({ run, detail }: DetailProps) {
  if (run?.state === "queued" && run.run !== null && run.position > 0)
    return <Place run={run.run} first={run.position} />;
  if (run?.state === "running") return <SoFar run={run} detail={detail} />;
  return detail && <span className="status-detail">{detail}</span>;
}

/** Where a run is in line, which no event of its own tells. */
function Place({ run, first }: { readonly run: string; readonly first: number }) {
  const position = usePosition(run, first);
  return position > 0 && <span className="status-detail">{placeInLine(position)}</span>;
}

/** Apart: it ticks. */
function SoFar({ run, detail }: { readonly run: RunView; readonly detail: string | undefined }) {
  const now = useNow(1_000);
  const retry = retryingOf(run);
  const facts = retry ? [triedIn(retry, now)] : soFar(run, now);
  return <span className="status-detail">{[...(detail ? [detail] : []), ...facts].join(" · ")}</span>;
}

const goToQuestion = () => document.querySelector(".question[data-state=open]")?.scrollIntoView({ block: "center" });
