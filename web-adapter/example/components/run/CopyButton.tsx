"use client";

import { useEffect, useState } from "react";

/** Ms for which it is said that it was copied. */
const SAID = 2_000;

/** Copies a text, which pages of plain http from a LAN may not: there is none then. */
export function CopyButton({ text, of }: { readonly text: string; readonly of: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(setCopied, SAID, false);
    return () => clearTimeout(timer);
  }, [copied]);
  if (!window.isSecureContext) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return (
    <button type="button" className="link" onClick={() => void copy()}>
      {copied ? "Copied" : "Copy"}
      <span className="sr-only"> {of.replaceAll("_", " ")}</span>
    </button>
  );
}
