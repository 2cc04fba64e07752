import { CREW_PART } from "../result.ts";
import { isFinal, untold, type QuestionView, type RunView, type ToolView } from "../view.ts";

/** A tool as its part or its view has it. */
export type ToolFacts = Pick<ToolView, "tool" | "args" | "result" | "state" | "started" | "ended">;
/** A question as its part or its view has it. */
export type QuestionFacts = Pick<QuestionView, "prompt" | "output" | "expires" | "options" | "state" | "text">;

/** A `tool-call` part of assistant-ui's, of any version. */
interface ToolCall {
  readonly toolName: string;
  readonly args?: unknown;
  readonly result?: unknown;
  readonly isError?: boolean | undefined;
}

/** The tool that a `tool-call` part tells of, which does not know when that was. */
export const toolOf = ({ toolName, args, result, isError }: ToolCall): ToolFacts => ({
  ...untold,
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

/**
 * The run among a message's parts, of several the live one, else the newest; for versions of assistant-ui
 * that show no `data` part.
 */
export function runOf(parts: readonly Part[]): RunView | undefined {
  const runs = parts.flatMap(({ type, name, data }) =>
    type === "data" && name === CREW_PART ? [data as RunView] : [],
  );
  return runs.findLast(({ state }) => !isFinal(state)) ?? runs.at(-1);
}

export const textOf = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? "");
