"use client";

import type { QuestionView } from "crew-web-adapter";
import { useEffect, useState, type FormEvent, type KeyboardEvent } from "react";
import { clock, mannerOf } from "./answering";
import { COMPOSER, focusComposer, focusFromNowhere, keepFocus } from "./composer-focus";
import { crew } from "./crew";
import { ArrowUp } from "./icons";
import { Refusal } from "./Refusal";
import { useCommand } from "./useCommand";

interface AnswerProps {
  readonly run: string;
  readonly question: QuestionView;
  /** Who asks. */
  readonly asker?: string;
}

/** The whole form for the answer to an open question, where there is no composer that is one. */
export function Answer({ run, question, asker = "the crew" }: AnswerProps) {
  const [text, setText] = useState("");
  const { busy, refusal, give } = useCommand(question.id);
  const words = text.trim();
  // Whoever is nowhere, as after a link has led here, is at the question; whoever is at something stays there.
  useEffect(() => {
    if (document.hasFocus()) focusFromNowhere();
  }, []);
  const answer = (said: string) => void give(() => crew.answer(run, question.id, said));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (words && !busy) answer(words);
  };
  return (
    <div className="answering" ref={keepFocus}>
      {refusal && <Refusal error={refusal} />}
      <form className="composer" data-mode="answer" aria-label="Answer" onSubmit={submit}>
        <Options question={question} busy={busy} onAnswer={answer} />
        <textarea
          id={COMPOSER}
          className="composer-input"
          {...named(question, asker)}
          rows={1}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={submitOnEnter}
        />
        <div className="composer-acts">
          <Accept question={question} busy={busy} words={words} onAccept={() => answer("")} />
          <Submit name={mannerOf(question).send} off={busy || !words} />
        </div>
        {question.expires !== null && <p className="composer-hint">Open until {clock(question.expires)}</p>}
      </form>
    </div>
  );
}

/** What the box is called while it is for an answer. */
export function named(question: QuestionView, asker: string) {
  const { name } = mannerOf(question);
  // A role is a name; "The crew" is not.
  const whom = /^the /i.test(asker) ? asker.replace(/^The /, "the ") : `the ${asker}`;
  return { "aria-label": `${name} ${whom}`, placeholder: `${name} ${whom}` };
}

/** What is pressed instead of Enter is a new line. */
export function submitOnEnter(event: KeyboardEvent<HTMLTextAreaElement>): void {
  if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
  event.preventDefault();
  event.currentTarget.form?.requestSubmit();
}

interface OptionsProps {
  readonly question: QuestionView;
  readonly busy: boolean;
  readonly onAnswer: (text: string) => void;
}

export function Options({ question: { options = [] }, busy, onAnswer }: OptionsProps) {
  return options.length === 0 ? null : (
    <div className="composer-options" role="group" aria-label="Answers" ref={keepFocus}>
      {[...new Set(options)].map((option) => (
        <button
          key={option}
          type="button"
          className="pill"
          aria-disabled={busy}
          onClick={() => busy || onAnswer(option)}
        >
          {option}
        </button>
      ))}
    </div>
  );
}

interface AcceptProps {
  readonly question: QuestionView;
  readonly busy: boolean;
  /** What stands in the box, which an answer of nothing would not say. */
  readonly words: string;
  readonly onAccept: () => void;
}

/** Answers nothing, where that says something. */
export function Accept({ question, busy, words, onAccept }: AcceptProps) {
  const { nothing, send } = mannerOf(question);
  if (!nothing) return null;
  const hindrance = words ? `Something is in the box: ${send.toLowerCase()}, or clear it` : undefined;
  const accept = () => {
    onAccept();
    focusComposer();
  };
  return (
    <button
      type="button"
      ref={keepFocus}
      className="pill accept"
      data-primary={!words || undefined}
      // ARIA 1.3 has it for every role; the linter knows 1.2.
      // oxlint-disable-next-line jsx-a11y/role-supports-aria-props
      aria-description={hindrance}
      title={hindrance}
      aria-disabled={busy || hindrance !== undefined}
      onClick={() => busy || hindrance || accept()}
    >
      {nothing}
    </button>
  );
}

/** The one button that sends what is in the box, and says as what. It stays, and with it the focus. */
export function Submit({ name, off }: { readonly name: string; readonly off: boolean }) {
  return (
    <button type="submit" className="submit" aria-disabled={off}>
      {name}
      <ArrowUp />
    </button>
  );
}
