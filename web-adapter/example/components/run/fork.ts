import type { RunView, TaskView } from "crew-web-adapter";

/** A task of the run's own plan, and whether another run can begin at it. */
export interface Start {
  readonly task: TaskView;
  readonly possible: boolean;
}

/**
 * Where a run can be begun again, in the plan's order: everything before it must have an output (P70). None: it is
 * a flow, which has no plan, or its tasks are not known yet.
 */
export function startsOf({ work, planned }: RunView): readonly Start[] {
  const plan = work.slice(0, planned).filter((item): item is TaskView => item.kind === "task");
  const open = plan.findIndex(({ state, output }) => state !== "completed" || output === null);
  return plan.map((task, n) => ({ task, possible: open < 0 || n <= open }));
}

/** Where somebody would begin who has not said where: at what was not finished, else at the last task. */
export const likelyOf = (starts: readonly Start[]): TaskView | undefined =>
  starts.findLast(({ possible }) => possible)?.task;

/** The kept ones of a fork: they were done by the run that it is a fork of. */
export function isKept({ forked, work, planned }: RunView, tid: string): boolean {
  if (forked === null) return false;
  const plan = work.slice(0, planned);
  const at = plan.findIndex((task) => task.tid === tid);
  return at >= 0 && at < plan.findIndex(({ name }) => name === forked.task);
}

/** An input as somebody edits it: a text as it is, anything else as JSON. */
export interface Field {
  readonly name: string;
  readonly kind: "text" | "json";
  readonly text: string;
}

const BRIEF = "message";

/** The brief first, then the others as they were given. */
export function fieldsOf(inputs: RunView["inputs"]): readonly Field[] {
  const fields = Object.entries(inputs).map(([name, value]): Field =>
    typeof value === "string"
      ? { name, kind: "text", text: value }
      : { name, kind: "json", text: JSON.stringify(value, null, 2) },
  );
  return [...fields.filter(({ name }) => name === BRIEF), ...fields.filter(({ name }) => name !== BRIEF)];
}

/** The inputs that differ from those of the run, or what is no JSON, by name. */
export type Read = { readonly inputs: RunView["inputs"] } | { readonly wrong: Readonly<Record<string, string>> };

export function readFields(fields: readonly Field[], before: RunView["inputs"]): Read {
  const untouched = new Map(fieldsOf(before).map(({ name, text }) => [name, text]));
  const inputs: Record<string, unknown> = {};
  const wrong: Record<string, string> = {};
  for (const { name, kind, text } of fields) {
    if (untouched.get(name) === text) continue;
    try {
      inputs[name] = kind === "text" ? text : (JSON.parse(text) as unknown);
    } catch (error) {
      wrong[name] = `This is no JSON: ${(error as SyntaxError).message}`;
    }
  }
  return Object.keys(wrong).length > 0 ? { wrong } : { inputs };
}
