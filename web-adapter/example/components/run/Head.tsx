"use client";

import { isFinal, type RunView } from "crew-web-adapter";
import { keepFocus } from "../composer-focus";
import { Trouble } from "../Connection";
import { PauseButton, StopButton } from "../Controls";
import { sentenceOf, unconfirmed } from "../phase";
import { Refusal } from "../Refusal";
import { briefOf } from "../runs/brief";
import { useCommand } from "../useCommand";
import { useUnconfirmed } from "../useUnconfirmed";
import { Facts } from "./Facts";
import { Forked } from "./Forked";

interface HeadProps {
  readonly id: string;
  readonly run: RunView;
  /** The run as it was at the moment `at`; the same where that is null. */
  readonly shown: RunView;
  readonly at: number | null;
  /** What it cost by then; null: nobody can say. */
  readonly cost: string | null;
}

/** What was asked for, what the run is at, and the two buttons that hold it up. */
export function Head({ id, run, shown, at, cost }: HeadProps) {
  const giving = useCommand(id);
  const pending = useUnconfirmed(id);
  return (
    <>
      <div className="run-head">
        <div>
          <h1 className="title" dir="auto">
            {briefOf(run)}
          </h1>
          {run.forked && <Forked from={run.forked} />}
          <Facts run={shown} at={at} cost={cost} />
        </div>
        {!isFinal(run.state) && (
          <div className="run-controls" role="group" aria-label="Controls" ref={keepFocus} inert={at !== null}>
            <PauseButton run={run} giving={giving} />
            <StopButton run={run} giving={giving} />
          </div>
        )}
      </div>
      <Trouble />
      {giving.refusal && <Refusal error={giving.refusal} />}
      {pending && (
        <p className="status" data-state="cancelling" data-unconfirmed={pending.cmd} role="status">
          {Object.values(unconfirmed(pending)).join(" ")}
        </p>
      )}
      <p className="sr-only" role="status" aria-live="polite">
        {sentenceOf(run)}
      </p>
    </>
  );
}
