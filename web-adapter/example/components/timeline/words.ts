import { count } from "../worked";
import type { Bar, BarKind, Row } from "./bars";

/** How long something took, as exactly as a person wants to know it. */
export function lasting(ms: number): string {
  const positive = Math.max(0, ms);
  if (positive < 9.95) return `${positive.toFixed(1)} ms`;
  if (positive < 999.5) return `${Math.round(positive)} ms`;
  if (positive < 59_950) return `${(positive / 1_000).toFixed(1)} s`;
  const seconds = Math.round(positive / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

/** A place on the scale, counted from the run's beginning. */
export function clock(ms: number): string {
  return ms < 59_950 ? `${(Math.max(0, ms) / 1_000).toFixed(1)} s` : lasting(ms);
}

export const inWords = (name: string): string => name.replaceAll("_", " ");

const NOUNS: { readonly [Kind in BarKind]: string } = {
  queue: "Queue",
  attempt: "Attempt",
  gap: "Nothing going on",
  pause: "Paused",
  flow: "Flow",
  method: "Method",
  crew: "Crew",
  task: "Task",
  agent: "Agent",
  call: "Model call",
  retry: "Waiting to try again",
  tool: "Tool",
  aside: "Step",
  wait: "Waiting for you",
};

/** What a bar is, in a few words. */
export function nameOf({ kind, label }: Bar): string {
  switch (kind) {
    case "queue":
    case "pause":
    case "wait":
    case "retry":
    case "call":
      return NOUNS[kind];
    case "gap":
      return label === "died" ? "Stopped short, until it was carried on" : NOUNS.gap;
    case "aside":
      return label.charAt(0).toUpperCase() + label.slice(1);
    default:
      return label ? `${NOUNS[kind]} ${inWords(label.trim())}` : NOUNS[kind];
  }
}

const STATES: { readonly [State in Bar["state"]]: string } = {
  running: "going on",
  completed: "",
  failed: "failed",
  cut: "cut off",
};

/** The same with what there is to know at a glance, for a reader's ear and the line above the bars. */
export function glanceOf(bar: Bar, start: number, now: number): string {
  const { first, tokens, retries, state } = bar;
  return [
    nameOf(bar),
    `at ${clock(bar.start - start)}`,
    `${lasting((bar.end ?? now) - bar.start)}${bar.end === null ? " so far" : ""}`,
    first !== null && `first token after ${lasting(first - bar.start)}`,
    tokens && count(tokens.prompt + tokens.completion, "token"),
    retries > 0 && `tried again ${retries === 1 ? "once" : `${retries} times`}`,
    STATES[state],
  ]
    .filter(Boolean)
    .join(", ");
}

/** Of a row without bars, why it has none. */
export const emptyOf = ({ state, bars }: Row, live: boolean): string =>
  state === "kept" ? "kept, was done before" : bars.length > 0 ? "" : live ? "to come" : "not reached";
