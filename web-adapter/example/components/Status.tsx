"use client";

import { PauseBars } from "./icons";
import { phaseOf, unconfirmed } from "./phase";
import { QUESTION_BOX } from "./Question";
import { useLiveRun } from "./useRun";
import { useUnconfirmed } from "./useUnconfirmed";

/** What the run is at, in one line that stays in sight. */
export function Status() {
  const run = useLiveRun();
  const pending = useUnconfirmed(run?.run);
  const state = pending?.cmd === "cancel" ? "cancelling" : (run?.state ?? "queued");
  const { title, detail } = pending ? unconfirmed(pending) : phaseOf(run);
  const line = (
    <>
      <span className="status-mark" aria-hidden>
        {state === "paused" ? <PauseBars /> : <i />}
      </span>
      <span className="status-title">{title}</span>
      {detail && <span className="status-detail">{detail}</span>}
    </>
  );
  return state === "waiting" ? (
    <button type="button" className="status" data-state={state} title="Go to the question" onClick={goToQuestion}>
      {line}
    </button>
  ) : (
    <p className="status" data-state={state} data-unconfirmed={pending?.cmd}>
      {line}
    </p>
  );
}

const goToQuestion = () => document.getElementById(QUESTION_BOX)?.focus();
