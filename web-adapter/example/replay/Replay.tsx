import { isFinal, type RunView } from "crew-web-adapter";
import { useMemo, useState } from "react";
import { Footnote, Problem } from "../components/Outcome";
import { Report } from "../components/Report";
import { Facts } from "../components/run/Facts";
import { Log } from "../components/run/Log";
import { Outputs, withOutput } from "../components/run/Outputs";
import { Tabs } from "../components/run/Tabs";
import { briefOf } from "../components/runs/brief";
import type { Recording } from "../components/timeline/recording";
import { Timeline } from "../components/timeline/Timeline";
import { remarksOn, type About } from "./file";

interface ReplayProps {
  readonly recording: Recording;
  readonly about: About | null;
}

/** A run as a file: all that its page shows but what needs a sidecar. */
export function Replay({ recording, about }: ReplayProps) {
  const [at, seek] = useState<number | null>(null);
  const newest = recording.view;
  const view = useMemo(() => (at === null ? newest : recording.viewAt(at)), [recording, newest, at]);
  const outputs = withOutput(view).length;
  const remarks = remarksOn(about, !isFinal(newest.state));
  return (
    <div className="page">
      <main className="column replay" id="main">
        <h1 className="title" dir="auto">
          {briefOf(newest)}
        </h1>
        <Facts run={view} at={at ?? recording.timeline().end} />
        {recording.length > 0 && <Timeline recording={recording} version={0} at={at} onSeek={seek} />}
        <Tabs
          label="What to see of this run"
          tabs={[
            { name: "progress", label: "Progress", content: <Course run={view} playing={at !== null} /> },
            { name: "outputs", label: outputs > 0 ? `Outputs ${outputs}` : "Outputs", content: <Outputs run={view} /> },
            { name: "log", label: "Log", content: <Log logs={view.logs} /> },
          ]}
        />
        <footer className="remarks">
          {remarks.map((remark) => (
            <p key={remark}>{remark}</p>
          ))}
        </footer>
      </main>
    </div>
  );
}

interface CourseProps {
  readonly run: RunView;
  /** Whether another moment than the last is shown, at which the crew was at work. */
  readonly playing: boolean;
}

function Course({ run, playing }: CourseProps) {
  const ended = isFinal(run.state);
  const stopped = run.state === "cancelled";
  return (
    <>
      <Report run={run} live={playing && !ended} stopped={stopped} />
      {run.state === "failed" && <Problem title="The crew couldn’t finish">{run.error.message}</Problem>}
      {run.state === "interrupted" && <Problem title="The crew couldn’t finish">The sidecar was stopped.</Problem>}
      {ended && <Footnote run={run} stopped={stopped} />}
    </>
  );
}
