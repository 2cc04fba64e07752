import type { QuestionView } from "crew-web-adapter";

/** How a question is answered, in words. */
export interface Manner {
  /** The box's name, before whom the answer goes to. */
  readonly name: string;
  readonly send: string;
  readonly sent: string;
  /** The button that sends nothing, where there is one. */
  readonly nothing?: string;
  readonly sentNothing: string;
}

const REVIEW: Manner = {
  name: "Feedback for",
  send: "Send feedback",
  sent: "Feedback",
  nothing: "Accept",
  sentNothing: "Accepted",
};
const ASK: Manner = {
  name: "Answer",
  send: "Send answer",
  sent: "Answered",
  nothing: "Skip",
  sentNothing: "Skipped",
};
/** Nothing is none of the options: the flow would go where it says that it goes by default, which is not told. */
const CHOICE: Manner = {
  name: "Answer",
  send: "Send answer",
  sent: "Answered",
  sentNothing: "Left to the crew",
};

export const mannerOf = ({ options, output }: Pick<QuestionView, "options" | "output">): Manner =>
  options?.length ? CHOICE : output ? REVIEW : ASK;

/** What became of a question that is open no more. */
export function outcomeOf(question: QuestionView): string {
  const { state, text } = question;
  const { sent, sentNothing } = mannerOf(question);
  switch (state) {
    case "answered":
      return text ? `${sent}: ${text}` : sentNothing;
    case "expired":
      return "Nobody answered in time, so the crew moved on";
    default:
      return "Closed before an answer";
  }
}

const SOON = 120_000;
const HALF_A_DAY = 43_200_000;

/** A time of the day (Unix ms): to the second if it is soon, with its date if it is far off. */
export function clock(ms: number, now = Date.now()): string {
  const left = ms - now;
  return new Date(ms).toLocaleString([], {
    hour: "2-digit",
    minute: "2-digit",
    ...(left < SOON && { second: "2-digit" as const }),
    ...(left > HALF_A_DAY && { day: "numeric" as const, month: "short" as const }),
  });
}
