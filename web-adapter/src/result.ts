import { beingWritten, LIMITS, textOf, type QuestionView, type RunView, type TaskView, type ToolView } from "./view.ts";

/** Name of the `data` part whose data is the whole RunView. */
export const CREW_PART = "crew";

/** Name of the `tool-call` part that is a question of the crew's; its `args` say which: `{run, input, …}`. */
export const CREW_QUESTION = "crew_question";

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** As assistant-ui has it, from 0.12.3 on; its own types are not needed. */
export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "data"; readonly name: string; readonly data: RunView }
  | ToolPart;

interface ToolPart {
  readonly type: "tool-call";
  readonly toolCallId: string;
  readonly toolName: string;
  readonly args: { readonly [name: string]: Json };
  readonly argsText: string;
  readonly result?: unknown;
  readonly isError?: boolean;
}

export type ResultStatus =
  | { readonly type: "complete"; readonly reason: "stop" }
  | { readonly type: "incomplete"; readonly reason: "cancelled" }
  | { readonly type: "incomplete"; readonly reason: "error"; readonly error: string };

export interface CrewResult {
  readonly content: readonly Part[];
  /** None while it works. */
  readonly status?: ResultStatus;
  readonly metadata: {
    readonly custom: {
      readonly run?: string | null;
      readonly error?: { readonly code: string; readonly message: string };
    };
  };
}

export interface ResultOptions {
  /** What the text at the end is; by default `textOf`. */
  readonly text?: (view: RunView) => string;
  /** Whether agents' earlier words and their thinking are parts too; by default they are. */
  readonly reasoning?: boolean;
}

/**
 * A view as the content of a message: a `data` part with the view itself; what was done, in order: a
 * `reasoning` part per model call, headed by who it was, and a `tool-call` part per tool; the
 * questions; and a text: while the crew works what is being written, at the end the output. What
 * that text says stands in none of the others. Of what was done no more than LIMITS.parts, the newest.
 * What has not changed gives the very same part again.
 */
export function toResult(view: RunView, { text = textOf, reasoning = true }: ResultOptions = {}): CrewResult {
  const output = "output" in view && view.output?.trim();
  const written = "output" in view ? null : beingWritten(view);
  const wordsOf = (of: object, said: string, thinking: string, who = ""): readonly Part[] => {
    const length = of === written ? 0 : output ? lengthBefore(output, said) : said.length;
    const words = () => [who, thinking, said.slice(0, length)].map((part) => part.trim()).filter(Boolean);
    return reasoning && (length || thinking)
      ? [once(of, length, () => ({ type: "reasoning", text: words().join("\n\n") }))]
      : [];
  };
  const done: Part[] = [];
  const untold: (Partial<TaskView> & Pick<RunView, "steps">)[] = [...view.work, view as Pick<RunView, "steps">];
  // From the newest on: of a run of 49,000 steps a frame took 98 ms.
  for (let item; done.length < LIMITS.parts && (item = untold.pop());) {
    const { steps, agent, name } = item;
    const who = agent || name;
    const parts: Part[] = steps.flatMap((step) =>
      step.kind === "tool"
        ? [once(step, 0, () => toolPart(view, step))]
        : step.kind === "call"
          ? wordsOf(step, step.text, step.thinking, step.agent ?? who)
          : [],
    );
    // A task whose words were not streamed, or are not told.
    if (agent !== undefined && steps.every((step) => step.kind !== "call" || !step.text))
      parts.push(...wordsOf(item, item.output ?? "", "", who));
    done.unshift(...parts);
  }
  const { status, metadata } = endOf(view);
  return {
    content: [
      { type: "data", name: CREW_PART, data: view },
      ...done.slice(-LIMITS.parts),
      ...view.notes.flatMap((note) =>
        note.kind === "question" ? [once(note, 0, () => questionPart(view, note))] : [],
      ),
      { type: "text", text: text(view) },
    ],
    ...(status && { status }),
    metadata: { custom: { run: view.run, ...metadata?.custom } },
  };
}

/** How much of what was said stands before the output that it ends with, as behind a "Final Answer:". */
function lengthBefore(output: string, said: string): number {
  const head = said.trimEnd().slice(0, -output.length);
  const before = head.trimEnd();
  return said.trimEnd() === head + output &&
    (!before || before.endsWith(":") || head.slice(before.length).includes("\n"))
    ? before.length
    : said.length;
}

/** The parts of what cannot change any more, each with what it was made of besides. */
const made = new WeakMap<object, readonly [length: number, part: Part]>();

function once(from: object, length: number, make: () => Part): Part {
  let [before, part] = made.get(from) ?? [];
  if (!part || before !== length) made.set(from, [length, (part = make())]);
  return part;
}

function endOf(view: RunView): Partial<CrewResult> {
  switch (view.state) {
    case "completed":
      return { status: { type: "complete", reason: "stop" } };
    case "failed":
      return failed(view.error.code, view.error.message);
    case "cancelled":
      return { status: { type: "incomplete", reason: "cancelled" } };
    case "interrupted":
      return failed("interrupted", "The sidecar was stopped.");
    default:
      return {};
  }
}

/** How a message ends that came to nothing, a run's or one that became none. */
export const failed = (code: string, message: string) => ({
  status: { type: "incomplete", reason: "error", error: message } as const,
  metadata: { custom: { error: { code, message } } },
});

const part = (
  { run }: RunView,
  id: string,
  toolName: string,
  args: unknown,
  done: boolean,
  result: unknown,
  isError: boolean,
): ToolPart => ({
  type: "tool-call",
  // Ids of questions are unique in a run, and a reply may show several runs.
  toolCallId: `${run}:${id}`,
  toolName,
  args: (args !== null && typeof args === "object" ? args : { input: args }) as ToolPart["args"],
  argsText: JSON.stringify(args, null, 2),
  ...(done && { result, isError }),
});

const toolPart = (view: RunView, { id, tool, args, result, state }: ToolView) =>
  part(view, id, tool, args, state !== "running", result, state === "failed");

const questionPart = (view: RunView, { id, prompt, output, expires, options, text, state }: QuestionView) =>
  part(
    view,
    id,
    CREW_QUESTION,
    { run: view.run, input: id, prompt, output, expires, ...(options && { options }) },
    state !== "open",
    text ?? state,
    state !== "answered",
  );
