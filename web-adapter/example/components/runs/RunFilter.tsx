"use client";

import type { RunPage } from "crew-web-adapter";
import { useEffect, useState, type MouseEvent, type RefObject } from "react";
import { countOf, GROUPS, type Filter, type Group } from "./filter";

interface Props {
  readonly filter: Filter;
  readonly onChange: (filter: Filter) => void;
  readonly addressOf: (filter: Filter) => string;
  /** Those that there are. */
  readonly crews: readonly string[];
  readonly counts: RunPage["counts"];
  readonly box: RefObject<HTMLInputElement | null>;
}

/** Which runs are shown: by their words, their crew and what they are at. */
export function RunFilter({ filter, onChange, addressOf, crews, counts, box }: Props) {
  return (
    <div className="run-filter">
      <form role="search" aria-label="Runs" onSubmit={(event) => event.preventDefault()}>
        <Words box={box} value={filter.q} onChange={(q) => onChange({ ...filter, q })} />
        {crews.length > 1 && (
          <select
            aria-label="Crew"
            value={filter.crew ?? ""}
            onChange={({ target }) => onChange({ ...filter, crew: target.value || null })}
          >
            <option value="">All crews</option>
            {crews.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
      </form>
      <nav className="run-states" aria-label="By state">
        {NAMES.map((state) => {
          const count = countOf(state, counts);
          if (!count && RARE.has(state) && filter.state !== state) return null;
          const to = { ...filter, state };
          return (
            <a
              key={state ?? "all"}
              href={addressOf(to)}
              aria-current={filter.state === state || undefined}
              data-state={state ?? undefined}
              onClick={(event) => isPlain(event) && (event.preventDefault(), onChange(to))}
            >
              {state === null ? "All" : GROUPS[state].name}
              {count !== undefined && <span> {count.toLocaleString("en")}</span>}
            </a>
          );
        })}
      </nav>
    </div>
  );
}

/** Those that are no choice while there are none. */
const RARE: ReadonlySet<Group | null> = new Set(["waiting", "failed", "stopped"]);

const NAMES: readonly (Group | null)[] = [null, ...(Object.keys(GROUPS) as Group[])];

/** Not for another tab or window. */
const isPlain = ({ button, metaKey, ctrlKey, shiftKey, altKey }: MouseEvent): boolean =>
  button === 0 && !metaKey && !ctrlKey && !shiftKey && !altKey;

/** Ms without a key after which the words count. */
const REST = 250;

interface WordsProps {
  readonly value: string;
  readonly onChange: (words: string) => void;
  readonly box: Props["box"];
}

function Words({ value, onChange, box }: WordsProps) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  /** What this box has asked for last: whoever writes on must not have it put back. */
  const [asked, setAsked] = useState(value);
  if (value !== seen) {
    setSeen(value);
    if (value !== asked) setText(value);
  }
  const words = text.trim();
  useEffect(() => {
    if (words === value) return;
    const timer = setTimeout(() => {
      setAsked(words);
      onChange(words);
    }, REST);
    return () => clearTimeout(timer);
    // What is to be done with the words changes nothing of them.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [words, value]);
  return (
    <input
      ref={box}
      type="search"
      name="q"
      aria-label="Search runs"
      placeholder="Search runs"
      maxLength={200}
      autoComplete="off"
      dir="auto"
      value={text}
      onChange={({ target }) => setText(target.value)}
    />
  );
}
