"use client";

import type { CallView, Step } from "crew-web-adapter";
import { useState } from "react";
import { Chevron } from "./icons";
import { Markdown } from "./Markdown";
import { lasting } from "./worked";

/** Whether a call thinks at present, and says so itself. */
export const isThinking = (step: Step | undefined): boolean =>
  step?.kind === "call" && step.thinking !== "" && step.text === "" && step.state === "running";

interface ThinkingProps {
  readonly call: CallView;
  /** Whether it may still go on. */
  readonly live: boolean;
}

/** What a model thought before it wrote: one line, with all of it behind. */
export function Thinking({ call, live }: ThinkingProps) {
  const [open, setOpen] = useState(false);
  const { started, thought } = call;
  const thinks = live && call.text === "";
  const took = started === null || thought === null ? null : (thought - started) / 1_000;
  return (
    <details
      className="tool thought"
      data-state={thinks ? "running" : "completed"}
      data-testid="thought"
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <span className="chevron" aria-hidden>
          <Chevron />
        </span>
        <span>{thinks ? "Thinking…" : took === null ? "Thought" : `Thought for ${lasting(took)}`}</span>
      </summary>
      {open && (
        <div className="thought-words">
          <Markdown text={call.thinking} streaming={thinks} />
        </div>
      )}
    </details>
  );
}
