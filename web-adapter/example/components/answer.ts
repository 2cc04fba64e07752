import type { CallView, Note, RunView, TaskView, WorkView } from "crew-web-adapter";
import { asProse, asWritten, saysSame } from "./structure";

/** What stands below all of the work: what the run says, or is about to. */
export interface Answer {
  /** As Markdown. */
  readonly text: string;
  /** The words that became it, or will; null where none were heard. */
  readonly from: string | null;
  /** These words, where they are the same: they are not shown a second time among the steps. */
  readonly call: string | null;
  /** The task or method that it is of. */
  readonly tid: string | null;
  readonly state: "writing" | "cut off" | "whole";
  /** What was said and asked behind it. */
  readonly notes: readonly Note[];
}

/** Something else that the crew wrote, whole. */
export interface Output {
  readonly tid: string;
  readonly name: string;
  readonly agent: string;
  readonly text: string;
}

/**
 * The answer as far as it is there. The words of the last planned task (of an agent without tasks: the agent's)
 * are its beginning, so that nothing moves when the run ends; what a flow says is not known before. undefined:
 * nothing yet, or it ended without one.
 */
export function answerOf(run: RunView): Answer | undefined {
  const last = lastOf(run);
  if (run.state === "completed") {
    const { output } = run;
    const at = (output === null ? undefined : run.work.findLast((item) => item.output === output)) ?? last;
    const words = wordsOf(at ?? run);
    const same = words && saysSame(words.text, output ?? "") ? words : undefined;
    return { text: asProse(output ?? ""), state: "whole", from: words?.id ?? null, ...placed(run, at, same) };
  }
  if (last ? !isLast(last, run) : run.work.length > 0) return undefined;
  const words = wordsOf(last ?? run);
  return (
    words && {
      text: asWritten(words.text),
      state: words.state === "running" ? "writing" : words.state === "failed" ? "cut off" : "whole",
      from: words.id,
      ...placed(run, last, words),
    }
  );
}

const placed = ({ notes }: RunView, at: WorkView | undefined, words: CallView | undefined) => ({
  call: words?.id ?? null,
  tid: at?.tid ?? null,
  notes: words ? notes.filter((note) => note.in === (at?.tid ?? null) && note.after === words.id) : [],
});

/** What the crew's other tasks gave, in their order. */
export const outputsOf = (run: RunView, answer: Answer): readonly Output[] =>
  plannedOf(run).flatMap(({ tid, name, agent, state, output }) =>
    state === "completed" && output && tid !== answer.tid ? [{ tid, name, agent, text: asProse(output) }] : [],
  );

const plannedOf = (run: RunView): readonly TaskView[] =>
  run.work.slice(0, run.planned).filter((item): item is TaskView => item.kind === "task");

const lastOf = (run: RunView): TaskView | undefined => plannedOf(run).at(-1);

/** Beside others its words could still be pushed down by theirs. */
const isLast = (last: WorkView, run: RunView): boolean =>
  plannedOf(run).every((task) => task === last || task.state === "completed" || task.state === "failed");

interface Stepping {
  readonly steps: WorkView["steps"];
}

/** The last words, unless something was done with them since. */
function wordsOf({ steps }: Stepping): CallView | undefined {
  const at = steps.findLastIndex((step) => step.kind === "call" && step.text !== "");
  return steps.slice(at + 1).some(({ kind }) => kind === "tool") ? undefined : (steps[at] as CallView | undefined);
}
