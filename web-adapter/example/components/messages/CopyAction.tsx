"use client";

import { useEffect, useState } from "react";
import { copyText } from "../clipboard";
import { Check, Copy, Cross } from "../icons";

/** Ms that the outcome stands on the button. */
const STANDS = 2_000;

interface CopyProps {
  /** Read when it is pressed. */
  readonly text: () => string;
  readonly label: string;
}

export function CopyAction({ text, label }: CopyProps) {
  const [copied, setCopied] = useState<boolean>();
  useEffect(() => {
    if (copied === undefined) return;
    const timer = setTimeout(setCopied, STANDS, undefined);
    return () => clearTimeout(timer);
  }, [copied]);
  const outcome = copied === undefined ? "" : copied ? "Copied" : "The browser doesn’t let this page copy";
  return (
    <>
      <button
        type="button"
        className="act"
        aria-label={label}
        title={outcome || label}
        data-done={copied}
        onClick={() => void copyText(text()).then(setCopied)}
      >
        {copied === undefined ? <Copy /> : copied ? <Check /> : <Cross />}
      </button>
      <span className="sr-only" role="status">
        {outcome}
      </span>
    </>
  );
}
