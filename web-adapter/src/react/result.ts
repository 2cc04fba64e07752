import type { ChatModelRunResult } from "@assistant-ui/react";
import type { QuestionView, RunView, ToolView } from "../view.ts";

/** Name of the `data` part whose data is the whole RunView. */
export const CREW_PART = "crew";

/** Name of the `tool-call` part that is a question of the crew's; its id is the question's. */
export const CREW_QUESTION = "crew_question";

/**
 * The parts of one view: a `data` part named `crew` with the view itself, a `tool-call` part per tool
 * and per question, and a text: while the crew works what is being written, at the end the output.
 */
export function toResult(view: RunView): ChatModelRunResult {
  const steps = [...view.work.flatMap((item) => item.steps), ...view.steps];
  return {
    content: [
      { type: "data", name: CREW_PART, data: view },
      ...steps.flatMap((step) => (step.kind === "tool" ? [toolPart(step)] : [])),
      ...view.notes.flatMap((note) => (note.kind === "question" ? [questionPart(note)] : [])),
      { type: "text", text: "output" in view ? (view.output ?? "") : writing(view) },
    ],
    ...statusOf(view),
  };
}

function statusOf(view: RunView): Pick<ChatModelRunResult, "status"> {
  switch (view.state) {
    case "completed":
      return { status: { type: "complete", reason: "stop" } };
    case "failed":
      return { status: failed(view.error.code, view.error.message) };
    case "cancelled":
      return { status: { type: "incomplete", reason: "cancelled" } };
    case "interrupted":
      return { status: failed("interrupted", "The sidecar was stopped.") };
    default:
      return {};
  }
}

export const failed = (code: string, message: string) =>
  ({ type: "incomplete", reason: "error", error: { code, message } }) as const;

const part = (
  toolCallId: string,
  toolName: string,
  args: unknown,
  done: boolean,
  result: unknown,
  isError: boolean,
) => ({
  type: "tool-call" as const,
  toolCallId,
  toolName,
  args: (args !== null && typeof args === "object" ? args : { input: args }) as Record<string, never>,
  argsText: JSON.stringify(args, null, 2),
  ...(done && { result, isError }),
});

const toolPart = ({ id, tool, args, result, state }: ToolView) =>
  part(id, tool, args, state !== "running", result, state === "failed");

const questionPart = ({ id, prompt, output, expires, options, text, state }: QuestionView) =>
  part(
    id,
    CREW_QUESTION,
    { prompt, output, expires, ...(options && { options }) },
    state !== "open",
    text ?? state,
    state !== "answered",
  );

/** The latest text of what is at work (the last one, when several are). */
function writing(view: RunView): string {
  const at = view.work.findLast(({ state, steps }) => state === "running" && steps.length > 0);
  const call = (at ?? view).steps.findLast((step) => step.kind === "call" && step.text !== "");
  return call?.kind === "call" ? call.text : "";
}
