"use client";

import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { RUN, RUNS } from "../address";
import { Bar } from "../Bar";
import { MAIN } from "../composer-focus";
import { Problem } from "../Outcome";
import { RunPage } from "./RunPage";

/** The run that the page's address names, on a page of its own. */
export function RunInAddress() {
  const run = useSearchParams().get(RUN);
  return run ? <RunPage key={run} run={run} /> : <NoRun />;
}

const NoRun = () => (
  <div className="page">
    <Bar />
    <main id={MAIN} className="column" tabIndex={-1}>
      <h1 className="sr-only">Run</h1>
      <h2 className="sr-only">What is wrong</h2>
      <Problem title="No run is named in the address" action={<Link href={RUNS}>All runs</Link>}>
        A run’s address ends in <code>/run/?{RUN}=</code> and the run’s id.
      </Problem>
    </main>
  </div>
);
