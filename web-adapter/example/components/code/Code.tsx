"use client";

import { lazy, Suspense, useState } from "react";
import { CopyButton } from "./CopyButton";
import { Scrollable } from "./Scrollable";

/** Painting so many characters takes 50 ms; of more the page would notice. */
const PAINTED = 20_000;
/** Of what is folded so many lines, and characters, are shown. */
const LINES = 12;
const FIRST = 2_000;

const Painted = lazy(() =>
  // Without its chunk, as when the network is off, code is as good in one colour.
  import("./Painted").catch(() => ({ default: ({ code }: { readonly code: string }) => <code>{code}</code> })),
);

interface CodeProps {
  readonly code: string;
  /** As the writer named it; "" for none. */
  readonly language?: string;
  /** What stands in for a language, and names the code to a screen reader. */
  readonly label?: string;
  /** It is still being written: plain, since each character may change all the colours. */
  readonly live?: boolean;
  /** Only its beginning is shown of a long one, until somebody asks for the rest. */
  readonly folding?: boolean;
}

/** Code with its language and a button that copies it; the colours change nothing but colours. */
export function Code({ code, language = "", label = language, live = false, folding = false }: CodeProps) {
  const [all, showAll] = useState(!folding);
  const short = all ? code : beginningOf(code);
  const lines = code.split("\n").length;
  return (
    <div className="code" dir="ltr">
      <div className="code-head">
        <span className="code-language">{label.slice(0, 30)}</span>
        {!live && <CopyButton text={code} what={label || "code"} />}
      </div>
      <Scrollable as="pre" name={label ? `Code, ${label}` : "Code"}>
        {language !== "" && !live && short.length <= PAINTED ? (
          <Suspense fallback={<code>{short}</code>}>
            <Painted code={short} language={language} />
          </Suspense>
        ) : (
          <code>{short}</code>
        )}
      </Scrollable>
      {short.length < code.length && (
        <button type="button" className="code-more" onClick={() => showAll(true)}>
          {lines > LINES ? `Show all ${lines.toLocaleString("en")} lines` : "Show all of it"}
        </button>
      )}
    </div>
  );
}

const beginningOf = (code: string): string => code.split("\n", LINES).join("\n").slice(0, FIRST);
