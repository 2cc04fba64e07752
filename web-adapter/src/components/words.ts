import type { RunState } from "../protocol.ts";

/** All that these components say of their own, for other languages: give those that shall differ. */
export interface CrewWords extends Record<RunState | "pending", string> {
  /** What the whole is called where it is not seen. */
  readonly crew: string;
  readonly thinking: string;
  readonly using: string;
  readonly used: string;
  readonly tried: string;
  readonly given: string;
  readonly result: string;
  readonly error: string;
  /** Name of the buttons, one per option. */
  readonly options: string;
  /** Name of the box. */
  readonly answer: string;
  readonly send: string;
  /** The button that answers with nothing where there is something to accept, and where there is not. */
  readonly accept: string;
  readonly skip: string;
  /** Before the time at which it closes. */
  readonly until: string;
  /** Before the answer that was given, and for one that was empty. */
  readonly answered: string;
  readonly accepted: string;
  readonly skipped: string;
  readonly expired: string;
  readonly closed: string;
  /** Said until the crew has taken the answer. */
  readonly sent: string;
  readonly time: (seconds: number) => string;
}

export const WORDS: CrewWords = {
  crew: "Crew",
  pending: "to come",
  queued: "queued",
  starting: "starting",
  running: "working",
  pausing: "pausing",
  paused: "paused",
  waiting: "waiting for you",
  cancelling: "stopping",
  completed: "done",
  failed: "failed",
  cancelled: "stopped",
  interrupted: "interrupted",
  thinking: "Thinking",
  using: "Using",
  used: "Used",
  tried: "Failed",
  given: "Given",
  result: "Result",
  error: "Error",
  options: "Answers",
  answer: "Your answer",
  send: "Send",
  accept: "Accept",
  skip: "Skip",
  until: "Open until",
  answered: "Answered",
  accepted: "Accepted",
  skipped: "Skipped",
  expired: "Nobody answered in time",
  closed: "Closed before an answer",
  sent: "Sent",
  time: (seconds) => {
    const whole = Math.round(seconds);
    if (whole < 10) return `${Number(seconds.toFixed(1))} s`;
    return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
  },
};

export const classes = (own: string, given: string | undefined) => (given ? `${own} ${given}` : own);
