"use client";

import { CrewError, isFinal, type RunView } from "crew-web-adapter";
import { useCrewRun } from "crew-web-adapter/react";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { Bar } from "../Bar";
import { PauseButton, StopButton } from "../Controls";
import { crew, runs } from "../crew";
import { Footnote, NotRunning, Problem, Result } from "../Outcome";
import { sentenceOf } from "../phase";
import { Progress } from "../Progress";
import { says } from "../useCommand";
import { briefOf, STATES, useSnapshot } from "./snapshot";
import { Duration, When } from "./When";

/** One run, live or ended, with all that can be done to it. */
export function RunPage({ run }: { readonly run: string }) {
  const view = useCrewRun(crew, run);
  return (
    <div className="page">
      <Bar />
      <main className="column">
        <p className="back">
          <Link href="/runs">All runs</Link>
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
  const snapshot = useSnapshot(id, view.state);
  const live = !isFinal(view.state);
  return (
    <>
      <div className="run-head">
        <div>
          <h1 className="title">{snapshot ? briefOf(snapshot) : "…"}</h1>
          <p className="run-facts" data-state={view.state} data-testid="run-state">
            <span className="run-state">
              <i aria-hidden />
              {STATES[view.state]}
            </span>
            {snapshot?.started && (
              <span>
                <Duration from={snapshot.started} to={live ? null : snapshot.finished} />
              </span>
            )}
            {snapshot && <When ms={snapshot.created} />}
            <ToChat run={id} />
          </p>
        </div>
        {live && (
          <div className="run-controls" role="group" aria-label="Controls">
            <PauseButton run={view} />
            <StopButton run={view} />
          </div>
        )}
      </div>
      <p className="sr-only" role="status" aria-live="polite">
        {sentenceOf(view)}
      </p>
      <Progress run={view} live={live} stopped={view.state === "cancelled"} />
      {view.state === "completed" && <Result output={view.output} json={view.json} />}
      {view.state === "failed" && <Problem title="The crew couldn’t finish">{view.error.message}</Problem>}
      {view.state === "interrupted" && <Problem title="The crew couldn’t finish">The sidecar was stopped.</Problem>}
      {!live && <Footnote run={view} stopped={view.state === "cancelled"} />}
    </>
  );
}

/** Makes this run the tab's conversation; the one that was there stays among the runs. */
function ToChat({ run }: { readonly run: string }) {
  const router = useRouter();
  const open = () => {
    if (!runs.list().includes(run)) {
      runs.clear();
      runs.add(run);
    }
    router.push("/");
  };
  return (
    <button type="button" className="link" onClick={open}>
      Continue in chat
    </button>
  );
}
