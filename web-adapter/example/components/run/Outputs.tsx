"use client";

import type { RunView, TaskView } from "crew-web-adapter";
import { CopyButton } from "../code/CopyButton";
import { Markdown } from "../Markdown";
import { asProse } from "../structure";

/** The tasks that have come to something, in the order in which they are done. */
export const withOutput = (run: RunView): readonly TaskView[] => run.tasks.filter(({ output }) => output?.trim());

/** What came of each task, whole, under its name. */
export function Outputs({ run }: { readonly run: RunView }) {
  const tasks = withOutput(run);
  if (tasks.length === 0) return <p className="soft">No task has come to anything yet.</p>;
  return tasks.map(({ tid, name, agent, output }) => (
    <article key={tid} className="output" aria-labelledby={`output-${tid}`}>
      <header>
        <h2 id={`output-${tid}`} dir="auto">
          {name.replaceAll("_", " ")}
        </h2>
        <span className="soft" dir="auto">
          {agent}
        </span>
        <CopyButton text={output!} what={`what came of ${name.replaceAll("_", " ")}`} />
      </header>
      <Markdown text={asProse(output!)} />
    </article>
  ));
}
