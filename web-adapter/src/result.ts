import { beingWritten, textOf, type QuestionView, type RunView, type Step, type ToolView } from "./view.ts";

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
 * that text says stands in none of the others. What has not changed gives the very same part again.
 */
export function toResult(view: RunView, { text = textOf, reasoning = true }: ResultOptions = {}): CrewResult {
  const written = "output" in view ? undefined : beingWritten(view);
  const output = "output" in view ? (view.output ?? "").trim() : "";
  const stepsOf = (steps: readonly Step[], who = "") =>
    steps.flatMap((step) => {
      if (step.kind === "tool") return [once(step, 0, () => toolPart(view, step))];
      if (step.kind !== "call" || !reasoning) return [];
      const length = step === written ? 0 : lengthWithout(step.text, output);
      if (!length && !step.thinking) return [];
      const words = () => [step.agent ?? who, step.thinking, step.text.slice(0, length)];
      return [once(step, length, () => reasoningPart(words()))];
    });
  const done = view.work.flatMap((item) => {
    const who = "agent" in item ? item.agent : item.name;
    const parts: Part[] = stepsOf(item.steps, who);
    // Its words were not streamed, or are not told.
    const silent = "agent" in item && !item.steps.some((step) => step.kind === "call" && step.text);
    const length = silent && reasoning && item.output ? lengthWithout(item.output, output) : 0;
    return length ? [...parts, once(item, length, () => reasoningPart([who, item.output!.slice(0, length)]))] : parts;
  });
  const { metadata, ...status } = statusOf(view);
  return {
    content: [
      { type: "data", name: CREW_PART, data: view },
      ...done,
      ...stepsOf(view.steps),
      ...view.notes.flatMap((note) =>
        note.kind === "question" ? [once(note, 0, () => questionPart(view, note))] : [],
      ),
      { type: "text", text: text(view) },
    ],
    ...status,
    metadata: { custom: { run: view.run, ...metadata?.custom } },
  };
}

/** How much of what was said stands before the output that it ends with, as behind a "Final Answer:". */
function lengthWithout(said: string, output: string): number {
  if (!output) return said.length;
  const end = said.trimEnd();
  const head = end.slice(0, -output.length);
  return end.endsWith(output) && /(^|[\n:])[^\S\n]?$/.test(head.slice(-2)) ? head.trimEnd().length : said.length;
}

/** The parts of what cannot change any more, each with what it was made of besides. */
const made = new WeakMap<object, readonly [length: number, part: Part]>();

function once(from: object, length: number, make: () => Part): Part {
  const [before, part] = made.get(from) ?? [];
  if (part && before === length) return part;
  const fresh = make();
  made.set(from, [length, fresh]);
  return fresh;
}

function statusOf(view: RunView): Partial<CrewResult> {
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

const reasoningPart = (words: readonly string[]): Part => ({
  type: "reasoning",
  text: words
    .map((text) => text.trim())
    .filter(Boolean)
    .join("\n\n"),
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
