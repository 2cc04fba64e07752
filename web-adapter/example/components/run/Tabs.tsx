"use client";

import { useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";

export interface Tab {
  /** In the address, behind the `#`. */
  readonly name: string;
  readonly label: string;
  readonly content: ReactNode;
}

/** Several views of one thing, one of them shown: the arrow keys go from tab to tab (ARIA APG, *Tabs*). */
export function Tabs({ label, tabs }: { readonly label: string; readonly tabs: readonly Tab[] }) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const [chosen, choose] = useState(() => window.location.hash.slice(1));
  const shown = Math.max(
    0,
    tabs.findIndex(({ name }) => name === chosen),
  );
  const show = (name: string) => {
    choose(name);
    const url = new URL(window.location.href);
    url.hash = name;
    window.history.replaceState(window.history.state, "", url);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const last = tabs.length - 1;
    const to = {
      ArrowLeft: shown === 0 ? last : shown - 1,
      ArrowRight: shown === last ? 0 : shown + 1,
      Home: 0,
      End: last,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(tabs[to]!.name);
    list.current?.querySelectorAll("button")[to]?.focus();
  };
  return (
    <>
      {/* A tab that is not shown is reached with the arrow keys. */}
      {/* oxlint-disable-next-line jsx-a11y/interactive-supports-focus */}
      <div ref={list} className="tabs" role="tablist" aria-label={label} onKeyDown={onKeyDown}>
        {tabs.map(({ name, label }, n) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`${id}${name}`}
            aria-selected={n === shown}
            aria-controls={`${id}${name}-panel`}
            tabIndex={n === shown ? 0 : -1}
            onClick={() => show(name)}
          >
            {label}
          </button>
        ))}
      </div>
      {tabs.map(({ name, content }, n) => (
        <div
          key={name}
          className="tab-panel"
          role="tabpanel"
          id={`${id}${name}-panel`}
          aria-labelledby={`${id}${name}`}
          hidden={n !== shown}
        >
          {n === shown && content}
        </div>
      ))}
    </>
  );
}
