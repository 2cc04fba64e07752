"use client";

import { isFinal, type CrewError } from "crew-web-adapter";
import dynamic from "next/dynamic";
import Link from "next/link";
import { useCallback, useState } from "react";
import { RUNS } from "../address";
import { Bar } from "../Bar";
import { MAIN } from "../composer-focus";
import { Trouble, useLost } from "../Connection";
import { crew } from "../crew";
import { NotRunning } from "../NotRunning";
import { Problem } from "../Outcome";
import { briefOf } from "../runs/brief";
import { TaskExtras } from "../TaskExtras";
import { useMoment } from "../timeline/useMoment";
import { usePrices } from "./usePrices";
import { useRecording, type Recorded } from "../timeline/useRecording";
import { says } from "../useCommand";
import { Moment } from "../useNow";
import { useTitle } from "../useTitle";
import { Actions } from "./Actions";
import { Asked } from "./Asked";
import { costUntil } from "./cost";
import { Course } from "./Course";
import { Head } from "./Head";
import { Log } from "./Log";
import { Outputs, withOutput } from "./Outputs";
import { Past } from "./Past";
import { Queued } from "./Queued";
import { Steer } from "./Steer";
import { Tabs } from "./Tabs";
import { useTaskExtras } from "./useTaskExtras";

const Timeline = dynamic(() => import("../timeline/Timeline").then((module) => module.Timeline), { ssr: false });
const ForkDialog = dynamic(() => import("./ForkDialog").then((module) => module.ForkDialog));

/** One run, live or ended, with all that can be done to it. */
export function RunPage({ run }: { readonly run: string }) {
  const told = useRecording(crew, run);
  return (
    <div className="page">
      <Bar />
      <main id={MAIN} className="column run-page" tabIndex={-1}>
        <p className="back">
          <Link href={RUNS}>All runs</Link>
        </p>
        {told.state !== "told" && <h1 className="sr-only">Run</h1>}
        {told.state === "refused" ? (
          <>
            <Wrong />
            <Refused error={told.error} />
          </>
        ) : told.state === "told" ? (
          <Run id={run} told={told} />
        ) : (
          <Looking />
        )}
      </main>
    </div>
  );
}

/** Where nothing was heard yet, it may be that nobody is there to be heard. */
function Looking() {
  const lost = useLost();
  return (
    <>
      <Trouble />
      {lost ? (
        <>
          <Wrong />
          <NotRunning />
        </>
      ) : (
        <p className="soft">Looking…</p>
      )}
    </>
  );
}

/** What is wrong has a heading of the third level, since it mostly stands among what the crew wrote. */
const Wrong = () => <h2 className="sr-only">What is wrong</h2>;

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

type Told = Extract<Recorded, { state: "told" }>;

function Run({ id, told }: { readonly id: string; readonly told: Told }) {
  const { recording, version, view, question } = told;
  const { at, seek, view: shown } = useMoment(recording, version);
  const [fork, setFork] = useState<{ readonly task: string | null }>();
  const forkAt = useCallback((tid: string | null) => setFork({ task: tid }), []);
  const { extras, forkable } = useTaskExtras(view, at, recording.timeline(), forkAt);
  const prices = usePrices();
  const cost = prices && costUntil(recording.timeline(), at, prices);
  const outputs = withOutput(shown).length;
  const live = !isFinal(view.state);
  const actions = <Actions run={view} id={id} onFork={forkable ? () => forkAt(null) : undefined} />;
  useTitle(briefOf(view), view.state);
  return (
    <>
      <Head run={view} shown={shown} at={at} id={id} cost={cost} />
      {/* It keeps its place while a moment of the past is shown, in which nothing can be said to the crew. */}
      <div className="run-now" inert={live && at !== null}>
        {view.state === "queued" && <Queued run={id} position={view.position} />}
        {question ? (
          <Asked key={question.id} run={view} id={id} question={question} />
        ) : live ? (
          <Steer run={view} id={id} />
        ) : (
          actions
        )}
      </div>
      <h2 className="sr-only">Timeline</h2>
      <Timeline
        recording={recording}
        version={version}
        at={at}
        onSeek={seek}
        prices={prices}
        {...(forkable && { onFork: ({ tid }) => forkAt(tid) })}
      />
      {at !== null && <Past after={at - recording.timeline().start} onLeave={() => seek(null)} />}
      {view.state !== "queued" && (
        <TaskExtras value={extras}>
          <Tabs
            label="What to see of this run"
            tabs={[
              {
                name: "progress",
                label: "Progress",
                content: (
                  // As it was then: what was at work is, and so do its clocks stand.
                  <Moment value={at}>
                    <Course run={shown} live={at === null ? live : !isFinal(shown.state)} />
                  </Moment>
                ),
              },
              {
                name: "outputs",
                label: outputs > 0 ? `Outputs ${outputs}` : "Outputs",
                content: <Outputs run={shown} />,
              },
              { name: "log", label: "Log", content: <Log logs={shown.logs} /> },
            ]}
          />
        </TaskExtras>
      )}
      {live && actions}
      {fork && <ForkDialog run={view} task={fork.task} onClose={() => setFork(undefined)} />}
    </>
  );
}
