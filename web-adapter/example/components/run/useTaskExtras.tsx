import type { HelperView, RunView, TaskView } from "crew-web-adapter";
import { useMemo, type ReactNode } from "react";
import { isKept, startsOf } from "./fork";
import type { Timeline, Tokens } from "../timeline/bars";
import { TaskFacts } from "./TaskFacts";

interface Extras {
  /** The same one until it has other things to show: each task that has it is shown anew when it changes. */
  readonly extras: (task: TaskView | HelperView) => ReactNode;
  /** Whether another run can begin at a task of this one. */
  readonly forkable: boolean;
}

/**
 * What the run's page shows at the head of each task, of the run as it is or was at the moment `at`.
 * `onFork`, always the same one: somebody wants a run that begins at that `tid`.
 */
export function useTaskExtras(
  view: RunView,
  at: number | null,
  { rows }: Timeline,
  onFork: (tid: string) => void,
): Extras {
  const facts = factsOf(view, at, rows);
  const extras = useMemo(() => {
    const { possible, kept, tokens } = JSON.parse(facts) as Facts;
    const used = new Map(tokens);
    return (task: TaskView | HelperView) => (
      <TaskFacts
        task={task}
        kept={kept.includes(task.tid)}
        tokens={used.get(task.tid) ?? null}
        onFork={possible.includes(task.tid) ? () => onFork(task.tid) : undefined}
      />
    );
  }, [facts, onFork]);
  return { extras, forkable: startsOf(view).some(({ possible }) => possible) };
}

interface Facts {
  readonly possible: readonly string[];
  readonly kept: readonly string[];
  readonly tokens: readonly (readonly [tid: string, tokens: Tokens | null])[];
}

/** As a text: a view is another one with each token, and what is said of it is not. */
function factsOf(view: RunView, at: number | null, rows: Timeline["rows"]): string {
  const starts = startsOf(view);
  const facts: Facts = {
    possible: starts.flatMap(({ task, possible }) => (possible ? [task.tid] : [])),
    kept: starts.flatMap(({ task: { tid } }) => (isKept(view, tid) ? [tid] : [])),
    // They are told of the run as it is now.
    tokens: rows.flatMap(({ tid, kind, tokens }) => (at === null && kind === "task" && tid ? [[tid, tokens]] : [])),
  };
  return JSON.stringify(facts);
}
