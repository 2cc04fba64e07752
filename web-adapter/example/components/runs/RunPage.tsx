"use client";

import { CrewError, isFinal, openQuestion, type RunView } from "crew-web-adapter";
import { useCrewRun } from "crew-web-adapter/react";
import Link from "next/link";
import { Answer } from "../Answer";
import { Bar } from "../Bar";
import { keepFocus, MAIN } from "../composer-focus";
import { Trouble } from "../Connection";
import { PauseButton, StopButton } from "../Controls";
import { addressOf, RUNS } from "../address";
import { crew } from "../crew";
import { NotRunning } from "../NotRunning";
import { Footnote, Problem } from "../Outcome";
import { askerOf, sentenceOf, STATES, unconfirmed } from "../phase";
import { Refusal } from "../Refusal";
import { Report } from "../Report";
import { says, useCommand } from "../useCommand";
import { useTitle } from "../useTitle";
import { useUnconfirmed } from "../useUnconfirmed";
import { briefOf } from "./brief";
import { Duration, When } from "./When";

/** One run, live or ended, with all that can be done to it. */
export function RunPage({ run }: { readonly run: string }) {
  const view = useCrewRun(crew, run);
  return (
    <div className="page">
      <Bar />
      <main id={MAIN} className="column" tabIndex={-1}>
        <p className="back">
          <Link href={RUNS}>All runs</Link>
        </p>
        {view.state === "refused" ? (
          <Refused error={view.error} />
        ) : view.state === "loading" ? (
          <p className="soft">Looking…</p>
        ) : (
          view.state !== "idle" && <Run id={run} view={view} />
        )}
      </main>
    </div>
  );
}

function Refused({ error }: { readonly error: CrewError }) {
  if (error.code === "unreachable") return <NotRunning />;
  return error.code === "unknown_run" ? (
    <Problem title="The sidecar has no such run">
      It keeps the newest ones only, or its data folder was emptied.
    </Problem>
  ) : (
    <Problem title="This run can’t be shown">{says(error)}</Problem>
  );
}

function Run({ id, view }: { readonly id: string; readonly view: RunView }) {
  const live = !isFinal(view.state);
  const giving = useCommand(id);
  const pending = useUnconfirmed(id);
  const question = live ? openQuestion(view) : null;
  useTitle(briefOf(view), view.state);
  return (
    <>
      <div className="run-head">
        <div>
          <h1 className="title">{briefOf(view)}</h1>
          <p className="run-facts" data-state={view.state} data-testid="run-state">
            <span className="run-state">
              <i aria-hidden />
              {STATES[view.state]}
            </span>
            {view.started !== null && (
              <span>
                <Duration from={view.started} to={view.ended} />
              </span>
            )}
            {view.created !== null && <When ms={view.created} />}
            {view.thread !== null && <ToChat thread={view.thread} />}
          </p>
        </div>
        {live && (
          <div className="run-controls" role="group" aria-label="Controls" ref={keepFocus}>
            <PauseButton run={view} giving={giving} />
            <StopButton run={view} giving={giving} />
          </div>
        )}
      </div>
      <Trouble />
      {question && <Answer key={question.id} run={id} question={question} asker={askerOf(view, question)} />}
      {giving.refusal && <Refusal error={giving.refusal} />}
      {pending && (
        <p className="status" data-state="cancelling" data-unconfirmed={pending.cmd} role="status">
          {Object.values(unconfirmed(pending)).join(" ")}
        </p>
      )}
      <p className="sr-only" role="status" aria-live="polite">
        {sentenceOf(view)}
      </p>
      <Report run={view} live={live} stopped={view.state === "cancelled"} />
      {view.state === "failed" && <Problem title="The crew couldn’t finish">{view.error.message}</Problem>}
      {view.state === "interrupted" && <Problem title="The crew couldn’t finish">The sidecar was stopped.</Problem>}
      {!live && <Footnote run={view} stopped={view.state === "cancelled"} />}
    </>
  );
}

/** The conversation that this run is of. */
const ToChat = ({ thread }: { readonly thread: string }) => (
  <Link className="link" href={addressOf(thread)}>
    Continue in chat
  </Link>
);
