"use client";

import { isFinal, type RunState } from "crew-web-adapter";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { notify } from "./notify";
import { iconOf, newsOf, titleOf } from "./tab";

const ICON = "crew-icon";

/** Has the tab say what the run is at, in its title and its icon: that it waits, and, until the tab is looked at, how it ended. */
export function useTitle(brief: string, state: RunState | undefined): void {
  const hidden = useSyncExternalStore(onVisibility, isHidden, () => false);
  const [was, setWas] = useState(state);
  const [unseen, setUnseen] = useState(false);
  if (was !== state) {
    setWas(state);
    setUnseen(hidden && hasEnded(was, state));
  } else if (unseen && !hidden) setUnseen(false);
  const news = newsOf(state, unseen);
  const brought = useRef(state);
  useEffect(() => {
    const before = brought.current;
    brought.current = state;
    if (before === state || !isHidden() || state === undefined) return;
    if (state === "waiting" || hasEnded(before, state)) notify(titleOf("", state), brief);
  }, [state, brief]);
  useEffect(() => {
    const { title } = document;
    document.title = titleOf(brief, news);
    return () => {
      document.title = title;
    };
  }, [brief, news]);
  useEffect(() => {
    const href = iconOf(state, news);
    if (!href) return;
    // Of several that fit, browsers take the last.
    const link = document.createElement("link");
    Object.assign(link, { id: ICON, rel: "icon", type: "image/svg+xml", href });
    document.head.append(link);
    return () => link.remove();
  }, [state, news]);
}

/** While the page was there: what had ended when it came is no news. */
const hasEnded = (before: RunState | undefined, state: RunState | undefined): boolean =>
  before !== undefined && !isFinal(before) && state !== undefined && isFinal(state);

const isHidden = (): boolean => document.hidden;

function onVisibility(listener: () => void): () => void {
  document.addEventListener("visibilitychange", listener);
  return () => document.removeEventListener("visibilitychange", listener);
}
