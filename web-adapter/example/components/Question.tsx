"use client";

import type { QuestionView } from "crew-web-adapter";
import { useEffect, useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import { crew } from "./crew";
import { Markdown } from "./Markdown";
import { asProse } from "./structure";
import { Refusal } from "./Refusal";
import { useCommand } from "./useCommand";

/** Id of the open question's answer box; there is one at most. */
export const QUESTION_BOX = "answer-to-the-crew";

interface QuestionProps {
  readonly run: string;
  /** Whether an answer can still count. */
  readonly live: boolean;
  readonly question: QuestionView;
  /** The words that stand right above: what a question is about is not shown twice. */
  readonly above: string;
}

/** A question of the crew's: while it is open with a box for the answer, afterwards with what was answered. */
export function Question({ run, live, question, above }: QuestionProps) {
  const { busy, refusal, give } = useCommand();
  const late = refusal?.code === "already_answered";
  const open = live && question.state === "open";
  const answer = (text: string) => void give(() => crew.answer(run, question.id, text));
  return (
    <section
      className="question"
      aria-label="Question from the crew"
      data-state={open ? "open" : "closed"}
      data-testid="question"
    >
      <div className="question-prompt">
        <Markdown text={question.prompt} />
      </div>
      {question.output && !isSame(question.output, above) && (
        <div className="question-output">
          <Markdown text={asProse(question.output)} />
        </div>
      )}
      {open && !late && <AnswerForm busy={busy} question={question} onAnswer={answer} />}
      {!open && <p className="question-answer">{outcome(question)}</p>}
      {late && <p className="hint">Somebody else was quicker; their answer counted.</p>}
      {refusal && !late && <Refusal error={refusal} />}
    </section>
  );
}

interface Manner {
  /** The box's name. */
  readonly name: string;
  readonly placeholder: string;
  readonly send: string;
  readonly sent: string;
  /** The button that sends nothing, where there is one. */
  readonly nothing?: string;
  readonly sentNothing: string;
}

const REVIEW: Manner = {
  name: "Feedback",
  placeholder: "What should be different?",
  send: "Send feedback",
  sent: "Feedback",
  nothing: "Accept",
  sentNothing: "Accepted",
};
const ASK: Manner = {
  name: "Answer",
  placeholder: "Your answer",
  send: "Send answer",
  sent: "Answered",
  nothing: "Skip",
  sentNothing: "Skipped",
};
/** Nothing is none of the options: the flow would go where it says that it goes by default, which is not told. */
const CHOICE: Manner = {
  name: "Answer",
  placeholder: "Or say it in your own words",
  send: "Send answer",
  sent: "Answered",
  sentNothing: "Left to the crew",
};

const mannerOf = ({ options, output }: QuestionView): Manner => (options?.length ? CHOICE : output ? REVIEW : ASK);

interface AnswerFormProps {
  readonly busy: boolean;
  readonly question: QuestionView;
  readonly onAnswer: (text: string) => void;
}

function AnswerForm({ busy, question, onAnswer }: AnswerFormProps) {
  const { options = [], expires } = question;
  const { name, placeholder, send, nothing } = mannerOf(question);
  const [text, setText] = useState("");
  const box = useRef<HTMLTextAreaElement>(null);
  const words = text.trim();

  useEffect(() => {
    if (document.hasFocus() && !isSomebodyTyping()) box.current?.focus({ preventScroll: true });
  }, []);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (words && !busy) onAnswer(words);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  };
  return (
    <form onSubmit={submit}>
      {options.length > 0 && (
        <div className="question-buttons" role="group" aria-label="Answers">
          {[...new Set(options)].map((option) => (
            <button key={option} type="button" className="pill" disabled={busy} onClick={() => onAnswer(option)}>
              {option}
            </button>
          ))}
        </div>
      )}
      <textarea
        ref={box}
        id={QUESTION_BOX}
        className="question-box"
        aria-label={name}
        placeholder={placeholder}
        rows={2}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="question-buttons">
        {nothing && (
          <button
            type="button"
            className="pill"
            data-primary={!words || undefined}
            disabled={busy}
            onClick={() => onAnswer("")}
          >
            {nothing}
          </button>
        )}
        <button type="submit" className="pill" data-primary={!!words || undefined} disabled={busy || !words}>
          {send}
        </button>
        {expires !== null && <span className="hint">Open until {clock(expires)}</span>}
      </div>
    </form>
  );
}

/** A box with text in it is somebody's; an empty one that has the focus is only where the page put it. */
function isSomebodyTyping(): boolean {
  const box = document.activeElement;
  return box instanceof HTMLTextAreaElement ? box.value !== "" : box !== null && box !== document.body;
}

function outcome(question: QuestionView): string {
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

const isSame = (output: string, words: string): boolean => squeeze(output) === squeeze(words);
const squeeze = (text: string): string => text.replace(/\s+/g, " ").trim();

const SOON = 120_000;
const HALF_A_DAY = 43_200_000;

/** A time of the day: to the second if it is soon, with its date if it is far off. */
function clock(ms: number): string {
  const left = ms - Date.now();
  return new Date(ms).toLocaleString([], {
    hour: "2-digit",
    minute: "2-digit",
    ...(left < SOON && { second: "2-digit" as const }),
    ...(left > HALF_A_DAY && { day: "numeric" as const, month: "short" as const }),
  });
}
