"use client";

import { useEffect, useInsertionEffect, useRef, useSyncExternalStore } from "react";
import { COMPOSER } from "./composer-focus";

export interface Key {
  /** `event.key`, with "mod+" for ⌘ or Ctrl and "shift+" in front: "/", "Escape", "mod+k", "mod+shift+o". */
  readonly key: string;
  /** What it does, for the help. */
  readonly label: string;
  readonly act: () => unknown;
  /** "page", where a single character counts only while nobody types; by default that. */
  readonly where?: "page" | "composer" | "empty composer";
}

type Named = Pick<Key, "key" | "label">;

/** What the composer does by itself, and its newline. */
const OWN: readonly Named[] = [
  { key: "Enter", label: "Send what is in the box" },
  { key: "mod+Enter", label: "The same" },
  { key: "shift+Enter", label: "A new line" },
];

/** The newest last: it is asked first. */
let keys: readonly Key[] = [];
let table: readonly Named[] = OWN;
const listeners = new Set<() => void>();

function set(next: readonly Key[]): void {
  if (keys.length === 0) document.addEventListener("keydown", onKeyDown);
  keys = next;
  if (keys.length === 0) document.removeEventListener("keydown", onKeyDown);
  const found = new Map([...OWN, ...keys].map(({ key, label }) => [key, { key, label }]));
  table = [...found.values()];
  for (const listener of listeners) listener();
}

const SINGLE = "crew.single-keys";

/** Whether keys that are one character work: speech input and tired hands press them by mistake (WCAG 2.1.4). */
export function takesSingleKeys(): boolean {
  try {
    return localStorage.getItem(SINGLE) !== "no";
  } catch {
    return true;
  }
}

export function takeSingleKeys(take: boolean): void {
  try {
    localStorage.setItem(SINGLE, take ? "yes" : "no");
  } catch {
    // Then it is forgotten at once, and they work.
  }
}

/** How `event` is written in a table of keys. A character says itself whether it took Shift. */
export function nameOf({ key, ctrlKey, metaKey, shiftKey }: KeyboardEvent): string {
  const mod = ctrlKey || metaKey;
  const shift = shiftKey && (mod || key.length > 1);
  return `${mod ? "mod+" : ""}${shift ? "shift+" : ""}${key.length === 1 ? key.toLowerCase() : key}`;
}

function isBox(target: EventTarget | null): target is HTMLTextAreaElement | HTMLInputElement {
  return (
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    (target instanceof HTMLInputElement && target.type !== "checkbox" && target.type !== "range") ||
    (target instanceof HTMLElement && target.isContentEditable)
  );
}

function counts({ key, where = "page" }: Key, target: EventTarget | null): boolean {
  if (where === "page") return key.length > 1 || (!isBox(target) && takesSingleKeys());
  const inside = target instanceof HTMLTextAreaElement && target.id === COMPOSER;
  return inside && (where === "composer" || target.value === "");
}

function onKeyDown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || event.altKey) return;
  // What is behind an open dialog rests.
  if (document.querySelector("dialog[open]")) return;
  const name = nameOf(event);
  const key = keys.findLast((key) => key.key === name && counts(key, event.target));
  if (!key) return;
  event.preventDefault();
  key.act();
}

/** Has a key do something for as long as the component is there, and the help tell of it. */
export function useKey({ key, label, act, where = "page" }: Key): void {
  const newest = useRef(act);
  useInsertionEffect(() => {
    newest.current = act;
  });
  useEffect(() => {
    const mine: Key = { key, label, where, act: () => newest.current() };
    set([...keys, mine]);
    return () => set(keys.filter((other) => other !== mine));
  }, [key, label, where]);
}

/** All keys that do something now. */
export const useKeys = (): readonly Named[] =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => table,
    () => OWN,
  );
