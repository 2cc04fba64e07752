"use client";

import type { QuestionView } from "crew-web-adapter";
import { clock, outcomeOf } from "./answering";
import { focusComposer } from "./composer-focus";
import { Markdown } from "./Markdown";
import { asProse } from "./structure";

interface QuestionProps {
  /** Whether an answer can still count. */
  readonly live: boolean;
  readonly question: QuestionView;
  /** The words that stand right above: what a question is about is not shown twice. */
  readonly above: string;
}

/** A question of the crew's where it was asked: what it is about, and what was answered. The answer is given in the page's one box. */
export function Question({ live, question, above }: QuestionProps) {
  const open = live && question.state === "open";
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
      {open ? (
        <p className="question-todo">
          <button type="button" className="link" onClick={focusComposer}>
            Answer it in the box
          </button>
          {question.expires !== null && <span className="hint">Open until {clock(question.expires)}</span>}
        </p>
      ) : (
        <p className="question-answer">{outcomeOf(question)}</p>
      )}
    </section>
  );
}

const isSame = (output: string, words: string): boolean => squeeze(output) === squeeze(words);
const squeeze = (text: string): string => text.replace(/\s+/g, " ").trim();
