"use client";

import type { RunView } from "crew-web-adapter";
import { Failed } from "../Failed";
import { Problem } from "../Outcome";
import { Report } from "../Report";

interface CourseProps {
  readonly run: RunView;
  /** Whether something can still be said to it here. */
  readonly live: boolean;
}

/** What the crew does, whole, and what it came to. */
export function Course({ run, live }: CourseProps) {
  return (
    <>
      <h2 className="sr-only">Progress</h2>
      <Report run={run} live={live} stopped={run.state === "cancelled"} folds={false} />
      {run.state === "failed" && <Failed error={run.error} model={run.model} />}
      {run.state === "interrupted" && <Problem title="The crew couldn’t finish">The sidecar was stopped.</Problem>}
    </>
  );
}
