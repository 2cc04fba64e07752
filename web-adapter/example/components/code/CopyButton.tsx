"use client";

import { useEffect, useState } from "react";

type Outcome = "copied" | "refused";

const SAYS: Record<Outcome, string> = { copied: "Copied", refused: "Can’t copy here" };
/** How long the outcome stands on the button, ms. */
const STANDS = 2_000;

interface CopyButtonProps {
  readonly text: string;
  /** What is copied, for those who do not see where the button stands. */
  readonly what: string;
}

export function CopyButton({ text, what }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<Outcome>();
  useEffect(() => {
    if (outcome === undefined) return;
    const timer = setTimeout(setOutcome, STANDS, undefined);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome("copied");
    } catch {
      // Not allowed, or a page that came without TLS from another machine, which has no clipboard.
      setOutcome("refused");
    }
  };
  return (
    <>
      <button type="button" className="copy" onClick={() => void copy()} data-outcome={outcome}>
        {outcome ? SAYS[outcome] : "Copy"}
        {!outcome && <span className="sr-only"> {what}</span>}
      </button>
      <span className="sr-only" role="status">
        {outcome && SAYS[outcome]}
      </span>
    </>
  );
}
