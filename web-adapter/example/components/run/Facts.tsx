"use client";

import { isFinal, type RunView } from "crew-web-adapter";
import { count, spentOf } from "../worked";
import { STATES } from "../phase";
import { When } from "../runs/When";
import { modelName } from "../model";
import { useNow } from "../useNow";
import { inWords } from "./spent";

interface FactsProps {
  readonly run: RunView;
  /** Until when time is counted, Unix ms; null: now, for as long as the run is live. */
  readonly at: number | null;
  /** What it cost, in words; left out where nobody can say. */
  readonly cost?: string | null;
}

/** What there is to know of a run in one line. */
export function Facts({ run, at, cost }: FactsProps) {
  const { prompt_tokens: sent, completion_tokens: written } = run.usage;
  return (
    <p className="run-facts" data-state={run.state} data-testid="run-state">
      <span className="run-state">
        <i aria-hidden />
        {STATES[run.state]}
      </span>
      {run.started !== null && (
        <span>{at === null && !isFinal(run.state) ? <SoFar run={run} /> : <Spent run={run} now={at ?? 0} />}</span>
      )}
      {sent + written > 0 && <span>{count(sent + written, "token")}</span>}
      {cost && <span title="By the prices in prices.yaml">{cost}</span>}
      {run.model !== null && <span title={run.model}>{modelName(run.model)}</span>}
      {run.attempt > 1 && <span title="Carried on after a restart">attempt {run.attempt}</span>}
      {run.created !== null && <When ms={run.created} />}
    </p>
  );
}

/** Apart: what has ended does not tick. */
const SoFar = ({ run }: { readonly run: RunView }) => <Spent run={run} now={useNow(1_000)} />;

function Spent({ run, now }: { readonly run: RunView; readonly now: number }) {
  const spent = spentOf(run, now);
  return spent && inWords(spent);
}
