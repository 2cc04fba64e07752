import type { QuestionView, RunView, ToolView } from "../view.ts";

/** A tool as its part or its view has it. */
export type ToolFacts = Pick<ToolView, "tool" | "args" | "result" | "state"> & Times;
/** A question as its part or its view has it. */
export type QuestionFacts = Pick<QuestionView, "prompt" | "output" | "expires" | "options" | "state" | "text">;

/** Unix ms, by the sidecar's clock; `ended` is null while it lasts. */
export interface Times {
  readonly started?: number | null;
  readonly ended?: number | null;
}

/** A `tool-call` part of assistant-ui's, of any version. */
interface ToolCall {
  readonly toolName: string;
  readonly args?: unknown;
  readonly result?: unknown;
  readonly isError?: boolean | undefined;
}

/** The tool that a `tool-call` part tells of. */
export const toolOf = ({ toolName, args, result, isError }: ToolCall): ToolFacts => ({
  tool: toolName,
  args,
  result: result === undefined ? null : textOf(result),
  state: result === undefined ? "running" : isError ? "failed" : "completed",
});

/** The question that a `tool-call` part named CREW_QUESTION tells of. */
export function questionOf({ args, result, isError }: ToolCall): QuestionFacts {
  const asked = args as Pick<QuestionFacts, "prompt" | "output" | "expires" | "options">;
  if (result === undefined) return { ...asked, state: "open", text: null };
  // One that has no answer has what became of it for a result.
  return isError
    ? { ...asked, state: result as QuestionFacts["state"], text: null }
    : { ...asked, state: "answered", text: textOf(result) };
}

interface Part {
  readonly type: string;
  readonly name?: string;
  readonly data?: unknown;
}

/** The newest run among a message's parts; for versions of assistant-ui that show no `data` part. */
export const runOf = (parts: readonly Part[] | undefined): RunView | undefined =>
  parts?.findLast(({ type, name }) => type === "data" && name === "crew")?.data as RunView | undefined;

export const textOf = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? "");
