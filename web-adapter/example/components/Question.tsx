"use client";

import type { QuestionView } from "crew-web-adapter";
import { useEffect, useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import { crew } from "./crew";
import { Markdown } from "./Markdown";
import { says, useCommand } from "./useCommand";

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
          <Markdown text={question.output} />
        </div>
      )}
      {open && !late && <AnswerForm busy={busy} expires={question.expires} onAnswer={answer} />}
      {!open && <p className="question-answer">{outcome(question)}</p>}
      {late && <p className="hint">Somebody else was quicker; their answer counted.</p>}
      {refusal && !late && (
        <p className="refused" role="alert">
          {says(refusal)}
        </p>
      )}
    </section>
  );
}

interface AnswerFormProps {
  readonly busy: boolean;
  readonly expires: number | null;
  readonly onAnswer: (text: string) => void;
}

function AnswerForm({ busy, expires, onAnswer }: AnswerFormProps) {
  const [text, setText] = useState("");
  const box = useRef<HTMLTextAreaElement>(null);
  const feedback = text.trim();

  useEffect(() => {
    if (document.hasFocus() && !isSomebodyTyping()) box.current?.focus({ preventScroll: true });
  }, []);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (feedback && !busy) onAnswer(feedback);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  };
  return (
    <form onSubmit={submit}>
      <textarea
        ref={box}
        id={QUESTION_BOX}
        className="question-box"
        aria-label="Feedback"
        placeholder="What should be different?"
        rows={2}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="question-buttons">
        <button
          type="button"
          className="pill"
          data-primary={!feedback || undefined}
          disabled={busy}
          onClick={() => onAnswer("")}
        >
          Accept
        </button>
        <button type="submit" className="pill" data-primary={!!feedback || undefined} disabled={busy || !feedback}>
          Send feedback
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

function outcome({ state, text }: QuestionView): string {
  switch (state) {
    case "answered":
      return text ? `Feedback: ${text}` : "Accepted";
    case "expired":
      return "Nobody answered in time, so the crew moved on";
    default:
      return "Closed before an answer";
  }
}

const isSame = (output: string, words: string): boolean => squeeze(output) === squeeze(words);
const squeeze = (text: string): string => text.replace(/\s+/g, " ").trim();
const clock = (ms: number): string => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
