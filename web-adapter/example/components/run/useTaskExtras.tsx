import type { HelperView, RunView, TaskView } from "crew-web-adapter";
import { useMemo, type ReactNode } from "react";
import { isKept, startsOf } from "./fork";
import { TaskFacts } from "./TaskFacts";

interface Extras {
  /** The same one until it has other things to show: each task that has it is shown anew when it changes. */
  readonly extras: (task: TaskView | HelperView) => ReactNode;
  /** Whether another run can begin at a task of this one. */
  readonly forkable: boolean;
}

/**
 * What the run's page shows at the head of each task. `onFork`, always the same
 * one: somebody wants a run that begins at that `tid`.
 */
export function useTaskExtras(view: RunView, onFork: (tid: string) => void): Extras {
  const starts = startsOf(view);
  // By their names: a view is another one with each token.
  const possible = starts.flatMap(({ task, possible }) => (possible ? [task.tid] : [])).join(" ");
  const kept = starts.flatMap(({ task: { tid } }) => (isKept(view, tid) ? [tid] : [])).join(" ");
  const extras = useMemo(() => {
    const can = new Set(possible.split(" "));
    const was = new Set(kept.split(" "));
    return (task: TaskView | HelperView) => (
      <TaskFacts task={task} kept={was.has(task.tid)} onFork={can.has(task.tid) ? () => onFork(task.tid) : undefined} />
    );
  }, [possible, kept, onFork]);
  return { extras, forkable: possible !== "" };
}
