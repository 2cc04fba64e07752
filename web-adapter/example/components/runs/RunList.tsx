"use client";

import { isFinal, type CrewError, type RunSnapshot } from "crew-web-adapter";
import { useCrewRun, useCrewRuns } from "crew-web-adapter/react";
import Link from "next/link";
import { addressOfRun } from "../address";
import { Bar } from "../Bar";
import { MAIN } from "../composer-focus";
import { crew } from "../crew";
import { NotRunning } from "../NotRunning";
import { Problem } from "../Outcome";
import { says } from "../useCommand";
import { STATES } from "../phase";
import { briefOf } from "./brief";
import { Duration, When } from "./When";

/** How many are followed at once: with one request besides, five of a browser's six connections. */
const FOLLOWED = 4;

/** All that the sidecar keeps: what is open, then what has ended, newest first. */
export function RunList() {
  const { runs, loading, error, refresh } = useCrewRuns(crew);
  return (
    <div className="page">
      <Bar />
      <main id={MAIN} className="column" tabIndex={-1}>
        <h1 className="title">Runs</h1>
        {loading && <p className="soft">Looking…</p>}
        {/* What was known before stays. */}
        {error && <Failed error={error} again={refresh} />}
        {!loading && !error && runs.length === 0 && (
          <p className="soft">
            None yet. <Link href="/">Write a brief</Link>, and it is kept here.
          </p>
        )}
        {runs.length > 0 && <Lists runs={runs} />}
      </main>
    </div>
  );
}

interface FailedProps {
  readonly error: CrewError;
  readonly again: () => void;
}

function Failed({ error, again }: FailedProps) {
  const action = (
    <button type="button" className="link" onClick={again}>
      Try again
    </button>
  );
  return error.code === "unreachable" ? (
    <NotRunning action={action} />
  ) : (
    <Problem title="The runs can’t be listed" action={action}>
      {says(error)}
    </Problem>
  );
}

function Lists({ runs }: { readonly runs: readonly RunSnapshot[] }) {
  const open = runs.filter(({ state }) => !isFinal(state));
  const ended = runs.filter(({ state }) => isFinal(state));
  // The oldest of them are the ones at work; the others wait for their turn.
  const followed = open.slice(-FOLLOWED);
  return (
    <>
      {open.length > 0 && (
        <section aria-labelledby="open-runs">
          <h2 id="open-runs">Open</h2>
          <ul className="runs">
            {open.map((run) =>
              followed.includes(run) ? <Live key={run.run} run={run} /> : <Row key={run.run} run={run} />,
            )}
          </ul>
        </section>
      )}
      {ended.length > 0 && (
        <section aria-labelledby="ended-runs">
          <h2 id="ended-runs">Finished</h2>
          <ul className="runs">
            {ended.map((run) => (
              <Row key={run.run} run={run} />
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** A row that moves with its run. */
function Live({ run }: { readonly run: RunSnapshot }) {
  const view = useCrewRun(crew, run.run);
  return <Row run={"tasks" in view ? { ...run, state: view.state, tasks: view.tasks } : run} />;
}

interface RowProps {
  readonly run: Pick<RunSnapshot, "run" | "state" | "started" | "finished" | "created" | "inputs"> & {
    readonly tasks: readonly Pick<RunSnapshot["tasks"][number], "name" | "agent" | "tid" | "state">[];
  };
}

function Row({ run }: RowProps) {
  const { state, tasks, started, finished, created } = run;
  const done = tasks.filter((task) => task.state === "completed").length;
  const at = tasks.find((task) => task.state === "running");
  const live = !isFinal(state);
  return (
    <li>
      <Link href={addressOfRun(run.run)} className="run" data-state={state} data-testid="run">
        <span className="run-brief">{briefOf(run)}</span>
        <span className="run-facts">
          <span className="run-state">
            <i aria-hidden />
            {STATES[state]}
          </span>
          {live && at && <span>{at.agent}</span>}
          {live && tasks.length > 0 && (
            <span>
              {done} of {tasks.length} tasks
            </span>
          )}
          {started !== null && (
            <span>
              <Duration from={started} to={live ? null : finished} />
            </span>
          )}
          <When ms={created} />
        </span>
        {live && tasks.length > 0 && (
          <span className="run-bar" aria-hidden>
            {tasks.map((task) => (
              <i key={task.tid ?? task.name} data-state={task.state} />
            ))}
          </span>
        )}
      </Link>
    </li>
  );
}
