import { isFinal } from "crew-web-adapter";
import { Course } from "../components/run/Course";
import { Facts } from "../components/run/Facts";
import { Log } from "../components/run/Log";
import { Outputs, withOutput } from "../components/run/Outputs";
import { Tabs } from "../components/run/Tabs";
import { briefOf } from "../components/runs/brief";
import type { Recording } from "../components/timeline/recording";
import { Timeline } from "../components/timeline/Timeline";
import { useMoment } from "../components/timeline/useMoment";
import { Moment } from "../components/useNow";
import { remarksOn, type About } from "./file";

interface ReplayProps {
  readonly recording: Recording;
  readonly about: About | null;
}

/** A run as a file: all that its page shows but what needs a sidecar. */
export function Replay({ recording, about }: ReplayProps) {
  const { at, seek, view } = useMoment(recording, 0);
  const newest = recording.view;
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
            {
              name: "progress",
              label: "Progress",
              content: (
                <Moment value={at}>
                  <Course run={view} live={at !== null && !isFinal(view.state)} />
                </Moment>
              ),
            },
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
