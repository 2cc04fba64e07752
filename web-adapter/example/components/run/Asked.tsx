"use client";

import type { QuestionView, RunView } from "crew-web-adapter";
import { Answer } from "../Answer";
import { Markdown } from "../Markdown";
import { askerOf } from "../phase";
import { asProse } from "../structure";

interface AskedProps {
  readonly run: RunView;
  readonly id: string;
  readonly question: QuestionView;
}

/** The question that the run waits with, what it is about, and the box for the answer. */
export function Asked({ run, id, question }: AskedProps) {
  const asker = askerOf(run, question);
  return (
    <section className="asked" aria-label="Open question">
      <h2 className="sr-only">Open question</h2>
      <div className="asked-prompt">
        <Markdown text={question.prompt} />
      </div>
      {question.output && (
        // It scrolls, also by keyboard.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className="asked-about" tabIndex={0} role="group" aria-label="What it is about">
          <Markdown text={asProse(question.output)} />
        </div>
      )}
      <Answer run={id} question={question} asker={asker} />
    </section>
  );
}
