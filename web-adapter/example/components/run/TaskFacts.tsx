"use client";

import { seconds, type HelperView, type TaskView } from "crew-web-adapter";
import { lasting } from "../runs/When";
import type { Tokens } from "../timeline/bars";
import { count } from "../worked";
import { useNow } from "../useNow";

interface TaskFactsProps {
  readonly task: TaskView | HelperView;
  /** It was done by the run that this one is a fork of. */
  readonly kept: boolean;
  /** Of its model calls; null: none was told of. */
  readonly tokens: Tokens | null;
  /** Absent: no run can begin at it. */
  readonly onFork: (() => void) | undefined;
}

/** What a task took, and that it can be begun at again. */
export function TaskFacts({ task, kept, tokens, onFork }: TaskFactsProps) {
  return (
    <p className="task-facts" data-kept={kept || undefined}>
      {kept && <span>kept</span>}
      {task.started !== null && (
        <span>{task.ended === null ? <SoFar task={task} /> : <Took task={task} now={null} />}</span>
      )}
      {tokens && <span>{count(tokens.prompt + tokens.completion, "token")}</span>}
      {onFork && (
        <button type="button" className="link" onClick={onFork}>
          Run again from here
          <span className="sr-only">: {task.name.replaceAll("_", " ")}</span>
        </button>
      )}
    </p>
  );
}

const SoFar = ({ task }: Pick<TaskFactsProps, "task">) => <Took task={task} now={useNow(1_000)} />;

function Took({ task, now }: Pick<TaskFactsProps, "task"> & { readonly now: number | null }) {
  const took = seconds(task, now);
  return took !== null && lasting(took * 1_000);
}
