import type { RunView } from "crew-web-adapter";
import { memo, useDeferredValue, useMemo, useState, type ReactNode } from "react";
import { Code } from "./code/Code";
import { Chevron } from "./icons";
import { Markdown } from "./Markdown";
import { inLines, saysNoMore, saysSame } from "./structure";
import { count } from "./worked";

interface ResultProps {
  /** As Markdown. */
  readonly text: string;
  readonly state: "writing" | "cut off" | "whole";
  /** Whether it is what the run gave, and no longer what it is about to give. */
  readonly ended: boolean;
  readonly output?: string | null;
  /** The same as data, where the crew was to give data. */
  readonly json?: unknown;
}

/** What a run gives, or is about to. */
export const Result = memo(function Result({ text, state, ended, output, json }: ResultProps) {
  const more = useMemo(() => json !== undefined && !saysNoMore(output ?? "", json), [output, json]);
  // A long one that comes all at once is built block by block, between frames.
  const built = useDeferredValue(text, state === "writing" ? text : "");
  if (ended && !text.trim()) {
    return (
      <>
        <p className="answer no-text" data-testid="no-text">
          The crew gave no text.
        </p>
        {more && <Structured json={json} />}
      </>
    );
  }
  return (
    <>
      {built && (
        <div className="answer" data-state={state} data-testid={ended ? "answer" : "writing"}>
          <Markdown text={built} streaming={state === "writing"} />
        </div>
      )}
      {more && <Structured json={json} />}
    </>
  );
});

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
      {open && <Code code={inLines(json)} language="json" label="JSON" />}
    </details>
  );
}

interface ProblemProps {
  /** What happened, in words for a person. */
  readonly title: string;
  /** What to do about it. */
  readonly children?: ReactNode;
  /** What was said, as it was said; shown where it says more than the rest. */
  readonly details?: string;
  /** The way out, where there is one. */
  readonly action?: ReactNode;
}

export function Problem({ title, children, details = "", action }: ProblemProps) {
  const said = [title, children].filter((part) => typeof part === "string");
  return (
    <div className="problem" role="alert">
      <h3 dir="auto">{title}</h3>
      {children !== undefined && <p dir="auto">{children}</p>}
      {details.trim() !== "" && !said.some((part) => saysSame(part, details)) && (
        <details>
          <summary>Details</summary>
          <Code code={details.trim()} label="As it was said" folding />
        </details>
      )}
      {action}
    </div>
  );
}

/** What an ended run took, and who wrote it. */
export function Footnote({ run, stopped }: { readonly run: RunView; readonly stopped: boolean }) {
  const { calls } = run.usage;
  return (
    <footer className="footnote">
      {stopped && <p>Stopped.</p>}
      {run.state === "completed" && calls > 0 && (
        <p>{["Done", count(calls, "model call"), run.model !== "offline" && run.model].filter(Boolean).join(" · ")}</p>
      )}
      {run.model === "offline" && (
        <p>
          Answers come from the built-in offline model. Set <code>OPENAI_API_KEY</code> for real ones.
        </p>
      )}
    </footer>
  );
}
