import type { RunView } from "crew-web-adapter";
import { memo, useDeferredValue, useMemo, useState, type ReactNode } from "react";
import { Chevron } from "./icons";
import { Markdown } from "./Markdown";
import { asProse, inLines, saysNoMore } from "./structure";

interface ResultProps {
  readonly output: string | null;
  /** The same as data, where the crew was to give data. */
  readonly json?: unknown;
}

/** What a run that was completed gives. */
export const Result = memo(function Result({ output, json }: ResultProps) {
  const text = useMemo(() => asProse(output ?? ""), [output]);
  const more = useMemo(() => json !== undefined && !saysNoMore(output ?? "", json), [output, json]);
  return (
    <>
      {text.trim() ? (
        <Answer text={text} />
      ) : (
        <p className="answer no-text" data-testid="no-text">
          The crew gave no text.
        </p>
      )}
      {more && <Structured json={json} />}
    </>
  );
});

function Answer({ text }: { readonly text: string }) {
  // A long one comes all at once: React then builds it block by block, between frames.
  const built = useDeferredValue(text, "");
  return built ? (
    <div className="answer" data-testid="answer">
      <Markdown text={built} />
    </div>
  ) : null;
}

function Structured({ json }: { readonly json: unknown }) {
  // It may be a MiB: nobody has it laid out who does not look.
  const [open, setOpen] = useState(false);
  return (
    <details
      className="tool structured"
      data-testid="structured"
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <span className="chevron" aria-hidden>
          <Chevron />
        </span>
        <span>Structured output</span>
      </summary>
      {open && <pre>{inLines(json)}</pre>}
    </details>
  );
}

interface ProblemProps {
  readonly title: string;
  readonly children: ReactNode;
  /** The way out, where there is one. */
  readonly action?: ReactNode;
}

export function Problem({ title, children, action }: ProblemProps) {
  return (
    <div className="problem" role="alert">
      <h3>{title}</h3>
      <p>{children}</p>
      {action}
    </div>
  );
}

/** What an ended run took, and who wrote it. */
export function Footnote({ run, stopped }: { readonly run: RunView; readonly stopped: boolean }) {
  const { calls, prompt_tokens: sent, completion_tokens: written } = run.usage;
  return (
    <footer className="footnote">
      {stopped && <p>Stopped.</p>}
      {run.state === "completed" && calls > 0 && (
        <p>
          Done · {count(calls, "model call")} · {count(sent + written, "token")}
        </p>
      )}
      {run.model === "offline" && (
        <p>
          Answers come from the built-in offline model. Set <code>OPENAI_API_KEY</code> for real ones.
        </p>
      )}
    </footer>
  );
}

export const count = (n: number, noun: string) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
