"use client";

import { useId, useState, type KeyboardEvent, type ReactNode } from "react";
import type { Output } from "./answer";
import { Markdown } from "./Markdown";

interface OutputsProps {
  /** What else was written, in its order. */
  readonly outputs: readonly Output[];
  /** Of what is here as children, which is the last one. */
  readonly label: string;
  readonly children: ReactNode;
}

/** What each task gave, of which one is shown: the last one, until somebody asks for another. */
export function Outputs({ outputs, label, children }: OutputsProps) {
  const [shown, show] = useState<string | null>(null);
  const id = useId();
  const output = outputs.find(({ tid }) => tid === shown);
  const tabs = [...outputs, { tid: null, name: label, agent: "" }];
  const at = tabs.findIndex(({ tid }) => tid === (output?.tid ?? null));
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = (step(at) + tabs.length) % tabs.length;
    show(tabs[next]!.tid);
    (event.currentTarget.parentElement?.children[next] as HTMLElement | undefined)?.focus();
  };
  return (
    <section className="outcome">
      <h2 className="sr-only">Answer</h2>
      {outputs.length > 0 && (
        <div className="outputs" role="tablist" aria-label="What each task gave">
          {tabs.map(({ tid, name, agent }, n) => (
            <button
              key={tid ?? ""}
              id={`${id}tab-${n}`}
              type="button"
              role="tab"
              className="output-tab"
              aria-selected={n === at}
              aria-controls={n === at ? `${id}panel` : undefined}
              tabIndex={n === at ? 0 : -1}
              title={agent || undefined}
              onClick={() => show(tid)}
              onKeyDown={onKeyDown}
            >
              {inWords(name)}
            </button>
          ))}
        </div>
      )}
      {output && (
        <div
          className="answer"
          id={`${id}panel`}
          role="tabpanel"
          aria-labelledby={`${id}tab-${at}`}
          data-testid="output"
        >
          <Markdown text={output.text} />
        </div>
      )}
      <div
        hidden={output !== undefined}
        {...(outputs.length > 0 &&
          !output && { id: `${id}panel`, role: "tabpanel", "aria-labelledby": `${id}tab-${at}` })}
      >
        {children}
      </div>
    </section>
  );
}

const STEPS: Readonly<Record<string, (at: number) => number>> = {
  ArrowLeft: (at) => at - 1,
  ArrowRight: (at) => at + 1,
  Home: () => 0,
  End: () => -1,
};

/** A task's name as a label: "create_content_plan" is "Create content plan". */
function inWords(name: string): string {
  const words = name.replaceAll("_", " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
