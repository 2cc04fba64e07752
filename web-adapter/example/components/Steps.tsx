"use client";

import type { AsideView, Note, Place, Step, WorkView } from "crew-web-adapter";
import { createContext, Fragment, useContext, useMemo, type ReactNode } from "react";
import { isOfQuestion, wordsOf } from "./asides";
import { Chevron } from "./icons";
import { Markdown } from "./Markdown";
import { SteerNote } from "./Notes";
import { Question } from "./Question";
import { triedIn, whyRetrying, type Retrying } from "./retrying";
import { isThinking, Thinking } from "./Thinking";
import { Tool } from "./Tool";
import { useNow } from "./useNow";

/** What the notes in between need to know: which run it is, and whether a question of it can be answered here. */
export const Answering = createContext<{ readonly run: string | null; readonly live: boolean }>({
  run: null,
  live: false,
});

interface StepsProps {
  readonly steps: readonly Step[];
  readonly notes: readonly Note[];
  /** Work that stands among the steps, and how it is shown. */
  readonly work?: readonly WorkView[];
  readonly show?: (work: readonly WorkView[]) => ReactNode;
  /** Whose task it is: only others are named at what they do. */
  readonly agent?: string;
  /** A call whose words, and what was said behind them, stand elsewhere. */
  readonly elsewhere?: string | null;
  /** Shown where no words were streamed. */
  readonly fallback?: string | null;
  readonly live?: boolean;
}

/** Steps in their order, each followed by the notes that were made behind it and the work that began there. */
export function Steps({
  steps,
  notes,
  work = [],
  show,
  agent = "",
  elsewhere = null,
  fallback = null,
  live = false,
}: StepsProps) {
  const silent = steps.every((step) => step.kind !== "call" || step.text === "");
  const known = new Set(steps.map(({ id }) => id));
  const words = (silent && fallback) || "";
  const behind = (id: string | null, above: string) => {
    // Behind a step that is gone by now, or behind none, is in front.
    const here = ({ after }: Place) => (after !== null && known.has(after) ? after : null) === id;
    const begun = work.filter(here);
    return (
      <>
        {(id === null || id !== elsewhere) && <Notes notes={notes.filter(here)} above={above} />}
        {begun.length > 0 && show?.(begun)}
      </>
    );
  };
  return (
    <>
      {behind(null, words)}
      {steps.map((step, n) => (
        <Fragment key={`${step.kind} ${step.id}`}>
          <Who agent={step.agent} before={steps[n - 1]?.agent ?? agent} />
          <StepBody step={step} live={live} elsewhere={step.id === elsewhere} />
          {behind(step.id, step.kind === "call" ? step.text : words)}
        </Fragment>
      ))}
      {words && (
        <div className="words">
          <Markdown text={words} />
        </div>
      )}
      {silent && !fallback && live && !saysItself(steps.at(-1)) && <p className="thinking">Thinking…</p>}
    </>
  );
}

/** Whether a step tells what the model is at. */
const saysItself = (step: Step | undefined): boolean => isThinking(step) || (step?.kind === "call" && !!step.retry);

/** Notes that stand below the work that they are of. */
export function NotesOf({ run, live, notes, above }: NotesOfProps) {
  const answering = useMemo(() => ({ run, live }), [run, live]);
  return (
    <Answering value={answering}>
      <Notes notes={notes} above={above} />
    </Answering>
  );
}

interface NotesOfProps {
  readonly run: string | null;
  readonly live: boolean;
  readonly notes: readonly Note[];
  readonly above: string;
}

function Notes({ notes, above }: { readonly notes: readonly Note[]; readonly above: string }) {
  const { run, live } = useContext(Answering);
  return notes.map((note) =>
    note.kind === "steer" ? (
      <SteerNote key={note.id} note={note} />
    ) : (
      run && <Question key={note.id} live={live} question={note} above={above} />
    ),
  );
}

/** Who does what follows, where that is somebody else than before. */
function Who({ agent, before }: { readonly agent: string | null; readonly before: string }) {
  const name = agent?.trim();
  return name && name !== before.trim() ? <p className="who">{name}</p> : null;
}

interface StepBodyProps {
  readonly step: Step;
  readonly live: boolean;
  readonly elsewhere: boolean;
}

function StepBody({ step, live, elsewhere }: StepBodyProps) {
  if (step.kind === "tool") return <Tool tool={step} live={live} />;
  if (step.kind === "aside") return isOfQuestion(step) ? null : <Aside aside={step} />;
  const writes = live && step.state === "running";
  return (
    <>
      {step.thinking && <Thinking call={step} live={writes} />}
      {live && step.retry && <Retry retry={step.retry} />}
      {step.text && !elsewhere && (
        <div className="words" data-live={writes || undefined} data-cut={step.state === "failed" || undefined}>
          <Markdown text={step.text} streaming={writes} />
        </div>
      )}
    </>
  );
}

const Retry = ({ retry }: { readonly retry: Retrying }) => (
  <p className="thinking" data-testid="retry">
    No answer yet: {whyRetrying(retry)}, {triedIn(retry, useNow(1_000))}
  </p>
);

function Aside({ aside }: { readonly aside: AsideView }) {
  const { title, text, wrong, rest } = wordsOf(aside);
  return (
    <details
      className="tool aside"
      data-state={aside.state}
      data-wrong={wrong || undefined}
      data-word={aside.word}
      data-testid="aside"
    >
      <summary>
        <span className="chevron" aria-hidden>
          <Chevron />
        </span>
        <span className="aside-title">{title}</span>
        {text && <span className="aside-text">{text}</span>}
      </summary>
      {rest.length > 0 && (
        <dl>
          {rest.map(([name, value]) => (
            <Fragment key={name}>
              <dt>{name.replaceAll("_", " ")}</dt>
              <dd>
                <pre>{value}</pre>
              </dd>
            </Fragment>
          ))}
        </dl>
      )}
    </details>
  );
}
