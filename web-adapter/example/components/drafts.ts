import { useAui, useAuiState } from "@assistant-ui/react";
import { useEffect, useRef } from "react";

const KEY = "crew.drafts";

/** Conversations whose draft is kept; those typed in longest ago are forgotten. */
const KEPT = 20;

/** What was typed and not sent, by thread; "" is the new one's. */
let drafts: ReadonlyMap<string, string> | undefined;

function all(): ReadonlyMap<string, string> {
  if (drafts) return drafts;
  drafts = new Map();
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as unknown;
    drafts = new Map(Array.isArray(kept) ? kept.filter(isDraft) : []);
  } catch {
    // What is blocked or broken has none.
  }
  return drafts;
}

const isDraft = (entry: unknown): entry is [string, string] =>
  Array.isArray(entry) && entry.length === 2 && entry.every((part) => typeof part === "string");

export const draftOf = (thread: string): string => all().get(thread) ?? "";

export function keepDraft(thread: string, text: string): void {
  if (draftOf(thread) === text) return;
  const others = [...all()].filter(([id]) => id !== thread);
  drafts = new Map(text ? [...others, [thread, text] as const].slice(-KEPT) : others);
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...drafts]));
  } catch {
    // Full or blocked: it holds until the page is left.
  }
}

/** What was typed stays with its conversation, over a switch to another one and over a reload. */
export function useDrafts(): void {
  const aui = useAui();
  const text = useAuiState(({ composer }) => composer.text);
  const shown = useAuiState(({ threads }) => threads.mainThreadId);
  const isBegun = useAuiState(({ threads }) =>
    threads.threadItems.some(({ id, custom }) => id === threads.mainThreadId && custom?.["state"] !== undefined),
  );
  const before = useRef<string>(undefined);
  useEffect(() => {
    const thread = isBegun ? shown : "";
    if (before.current === shown) keepDraft(thread, text);
    // assistant-ui gives each thread that is shown a composer of its own, which is empty.
    else if (text === "") aui.composer.setText(draftOf(thread));
    before.current = shown;
  }, [aui, shown, isBegun, text]);
}
