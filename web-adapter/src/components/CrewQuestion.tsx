import { useEffect, useId, useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import { Plain, type CrewText } from "./CrewProgress.tsx";
import type { QuestionFacts } from "./parts.ts";
import { classes, WORDS, type CrewWords } from "./words.ts";

export interface CrewQuestionProps {
  /** A note of a view, or `questionOf(part)`. */
  readonly question: QuestionFacts;
  /**
   * Gives the answer, "" to accept or skip: `(text) => crew.answer(run, question.id, text)`, or a part's `addResult`.
   * Why a promise was rejected is shown. Left out, the question is only shown.
   */
  readonly onAnswer?: ((text: string) => unknown) | undefined;
  readonly Text?: CrewText | undefined;
  readonly words?: Partial<CrewWords> | undefined;
  readonly className?: string;
}

/** A question of the crew's: while it is open with its options and a box, afterwards with what was answered. */
export function CrewQuestion({ question, onAnswer, Text = Plain, words, className }: CrewQuestionProps) {
  const says = { ...WORDS, ...words };
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<{ text: string; refused: boolean }>();
  const prompt = useId();
  const box = useRef<HTMLElement>(null);
  const open = question.state === "open" && onAnswer !== undefined;
  const { output } = question;

  // What had the focus is gone with the form, and who answered by keyboard would begin at the top of the page.
  const answered = !open && said !== undefined;
  useEffect(() => {
    if (answered && document.activeElement === document.body) box.current?.focus();
  }, [answered]);

  const answer = async (text: string) => {
    if (busy || !onAnswer) return;
    setBusy(true);
    setSaid(undefined);
    try {
      await onAnswer(text);
      setSaid({ text: says.sent, refused: false });
    } catch (error) {
      setSaid({ text: error instanceof Error ? error.message : String(error), refused: true });
    }
    setBusy(false);
  };

  return (
    <section
      ref={box}
      className={classes("crew-question", className)}
      data-state={question.state}
      aria-labelledby={prompt}
      tabIndex={-1}
    >
      <div id={prompt} className="crew-question-prompt">
        <Text text={question.prompt} />
      </div>
      {output && (
        <div className="crew-question-output">
          <Text text={output} />
        </div>
      )}
      {open && (
        <Form question={question} busy={busy} prompt={prompt} says={says} onAnswer={(text) => void answer(text)} />
      )}
      {/* Always there: a screen reader tells what changes in it. */}
      <p className="crew-question-said" role="status" dir="auto" data-refused={said?.refused || undefined}>
        {question.state === "open" ? said?.text : outcome(question, says)}
      </p>
    </section>
  );
}

interface FormProps {
  readonly question: QuestionFacts;
  readonly busy: boolean;
  /** Id of what is asked. */
  readonly prompt: string;
  readonly says: CrewWords;
  readonly onAnswer: (text: string) => void;
}

function Form({ question: { options = [], output, expires }, busy, prompt, says, onAnswer }: FormProps) {
  const [text, setText] = useState("");
  const words = text.trim();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (words) onAnswer(words);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  };
  // Not `disabled`, which would take the focus from who pressed it.
  const button = { type: "button", "aria-disabled": busy } as const;
  return (
    <form className="crew-question-form" onSubmit={submit}>
      {options.length > 0 && (
        <div className="crew-question-options" role="group" aria-label={says.options}>
          {[...new Set(options)].map((option) => (
            <button key={option} {...button} dir="auto" onClick={() => onAnswer(option)}>
              {option}
            </button>
          ))}
        </div>
      )}
      <textarea
        className="crew-question-box"
        aria-label={says.answer}
        aria-describedby={prompt}
        dir="auto"
        rows={2}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {/* Nothing is none of the options. */}
      {options.length === 0 && (
        <button {...button} className="crew-question-accept" onClick={() => onAnswer("")}>
          {output ? says.accept : says.skip}
        </button>
      )}
      <button type="submit" className="crew-question-send" aria-disabled={busy || !words}>
        {says.send}
      </button>
      {expires !== null && (
        <p className="crew-question-until">
          {says.until} <time dateTime={new Date(expires).toISOString()}>{new Date(expires).toLocaleString()}</time>
        </p>
      )}
    </form>
  );
}

function outcome({ state, text, output, options }: QuestionFacts, says: CrewWords): string {
  if (state !== "answered") return state === "expired" ? says.expired : says.closed;
  if (text) return `${says.answered}: ${text}`;
  return output && !options?.length ? says.accepted : says.skipped;
}
