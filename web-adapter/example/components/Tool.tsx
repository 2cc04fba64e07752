"use client";

import { seconds, type ToolView } from "crew-web-adapter";
import { useState } from "react";
import { Code } from "./code/Code";
import { Check, Chevron, Cross } from "./icons";
import { inLines, structureOf } from "./structure";
import { useNow } from "./useNow";
import { lasting } from "./worked";

interface ToolProps {
  readonly tool: ToolView;
  /** Whether it may still be at work. */
  readonly live: boolean;
}

const SAYS: Record<ToolView["state"], string> = { running: "Using", completed: "Used", failed: "Tried" };

/** A tool's call: which, how it went and how long it took, and behind that what it was given and what came of it. */
export function Tool({ tool, live }: ToolProps) {
  const { state, args, result } = tool;
  const [open, setOpen] = useState(false);
  const works = live && state === "running";
  const took = works ? null : seconds(tool);
  return (
    <details
      className="tool card"
      data-state={state === "running" && !live ? "stopped" : state}
      data-testid="tool"
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <span className="card-mark" aria-hidden>
          {state === "completed" ? <Check /> : state === "failed" ? <Cross /> : <i />}
        </span>
        <span className="card-title">
          {SAYS[state]} <code>{tool.tool}</code>
        </span>
        {state === "failed" && result && <span className="card-error">{firstLineOf(result)}</span>}
        <span className="card-time">{works ? <Clock tool={tool} /> : took !== null && lasting(took)}</span>
        <span className="chevron" aria-hidden>
          <Chevron />
        </span>
      </summary>
      {open && (
        <dl>
          <dt>Given</dt>
          <dd>
            <Readable value={args} />
          </dd>
          {result !== null && (
            <>
              <dt>{state === "failed" ? "Error" : "Result"}</dt>
              <dd>
                <Readable value={result} />
              </dd>
            </>
          )}
        </dl>
      )}
    </details>
  );
}

function Clock({ tool }: { readonly tool: ToolView }) {
  const so = seconds(tool, useNow(1_000));
  return so === null || so < 1 ? null : lasting(so);
}

/** A structure in lines, whether it came as one or as text; any other text as it is. */
function Readable({ value }: { readonly value: unknown }) {
  const structure = typeof value === "string" ? structureOf(value) : value;
  return structure === undefined ? (
    <Code code={String(value)} label="Text" folding />
  ) : (
    <Code code={inLines(structure)} language="json" label="JSON" folding />
  );
}

const firstLineOf = (text: string): string => text.trim().split("\n", 1)[0]!;
