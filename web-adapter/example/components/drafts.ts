import { useAui, useAuiState } from "@assistant-ui/react";
import { useEffect, useRef } from "react";
import { useThreadInAddress } from "./address";

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
  const address = useThreadInAddress();
  const now = useRef<{ readonly shown: string; readonly key: string | undefined }>(undefined);
  useEffect(() => {
    // One that nothing was said in has no address; where the address names another one, that is about to be shown.
    const key = address === shown ? shown : address === undefined ? "" : undefined;
    const before = now.current?.shown === shown ? now.current : undefined;
    // The address of one that is left goes before it does.
    const kept = before?.key === undefined || key === shown ? key : before.key;
    now.current = { shown, key: kept };
    // It has begun, with what was typed.
    if (before?.key === "" && kept !== "") keepDraft("", "");
    if (kept === undefined) return;
    // assistant-ui gives each thread that is shown a composer of its own, which is empty.
    if (before?.key === undefined && text === "") aui.composer.setText(draftOf(kept));
    else keepDraft(kept, text);
  }, [aui, shown, address, text]);
}
