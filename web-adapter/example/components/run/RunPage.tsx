"use client";

import { isFinal, type CrewError, type RunView } from "crew-web-adapter";
import { useCrewRun } from "crew-web-adapter/react";
import dynamic from "next/dynamic";
import Link from "next/link";
import { useCallback, useState } from "react";
import { RUNS } from "../address";
import { Bar } from "../Bar";
import { PauseButton, StopButton } from "../Controls";
import { crew } from "../crew";
import { Footnote, NotRunning, Problem, Result } from "../Outcome";
import { sentenceOf, unconfirmed } from "../phase";
import { Progress } from "../Progress";
import { Refusal } from "../Refusal";
import { briefOf } from "../runs/brief";
import { TaskExtras } from "../TaskExtras";
import { says, useCommand } from "../useCommand";
import { useUnconfirmed } from "../useUnconfirmed";
import { Actions } from "./Actions";
import { Facts, Forked } from "./Facts";
import { Log } from "./Log";
import { Outputs, withOutput } from "./Outputs";
import { Queued } from "./Queued";
import { Tabs } from "./Tabs";
import { useTaskExtras } from "./useTaskExtras";

const ForkDialog = dynamic(() => import("./ForkDialog").then((module) => module.ForkDialog));

/** One run, live or ended, with all that can be done to it. */
export function RunPage({ run }: { readonly run: string }) {
  const view = useCrewRun(crew, run);
  return (
    <div className="page">
      <Bar />
      <main className="column" id="main" tabIndex={-1}>
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
  const [fork, setFork] = useState<{ readonly task: string | null }>();
  const forkAt = useCallback((task: string | null) => setFork({ task }), []);
  const { extras, forkable } = useTaskExtras(view, forkAt);
  const outputs = withOutput(view).length;
  return (
    <>
      <div className="run-head">
        <div>
          <h1 className="title" dir="auto">
            {briefOf(view)}
          </h1>
          {view.forked && <Forked from={view.forked} />}
          <Facts run={view} at={null} />
        </div>
        {live && (
          <div className="run-controls" role="group" aria-label="Controls">
            <PauseButton run={view} giving={giving} />
            <StopButton run={view} giving={giving} />
          </div>
        )}
      </div>
      {giving.refusal && <Refusal error={giving.refusal} />}
      {pending && (
        <p className="status" data-state="cancelling" data-unconfirmed={pending.cmd} role="status">
          {Object.values(unconfirmed(pending)).join(" ")}
        </p>
      )}
      <p className="sr-only" role="status" aria-live="polite">
        {sentenceOf(view)}
      </p>
      {view.state === "queued" && <Queued run={id} ahead={view.position} />}
      <TaskExtras value={extras}>
        <Tabs
          label="What to see of this run"
          tabs={[
            { name: "progress", label: "Progress", content: <Course run={view} /> },
            { name: "outputs", label: outputs > 0 ? `Outputs ${outputs}` : "Outputs", content: <Outputs run={view} /> },
            { name: "log", label: "Log", content: <Log logs={view.logs} /> },
          ]}
        />
      </TaskExtras>
      <Actions run={view} id={id} onFork={forkable ? () => forkAt(null) : undefined} />
      {fork && <ForkDialog run={view} task={fork.task} onClose={() => setFork(undefined)} />}
    </>
  );
}

/** What the crew does, and then what it came to, as in the chat. */
function Course({ run }: { readonly run: RunView }) {
  const live = !isFinal(run.state);
  const stopped = run.state === "cancelled";
  return (
    <>
      <Progress run={run} live={live} stopped={stopped} />
      {run.state === "completed" && <Result output={run.output} json={run.json} />}
      {run.state === "failed" && <Problem title="The crew couldn’t finish">{run.error.message}</Problem>}
      {run.state === "interrupted" && <Problem title="The crew couldn’t finish">The sidecar was stopped.</Problem>}
      {!live && <Footnote run={run} stopped={stopped} />}
    </>
  );
}
