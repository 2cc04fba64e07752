import { isFinal, type RunState } from "crew-web-adapter";

/** What the tab's title begins with: what wants the reader, or has ended while nobody looked. */
const MARKS: Partial<Record<RunState, string>> = {
  waiting: "● Waiting for you",
  completed: "✓ Done",
  failed: "✕ Failed",
  interrupted: "✕ Interrupted",
  cancelled: "■ Stopped",
};

/** Of a tab. `brief`: what is asked for; `news`: what there is to tell of it. */
export function titleOf(brief: string, news: RunState | undefined): string {
  const short = brief.length > LONGEST ? `${brief.slice(0, LONGEST).trimEnd()}…` : brief;
  return [news && MARKS[news], short || "Crew"].filter(Boolean).join(" · ");
}

/** Characters; a browser cuts a tab's title at about 30 and a window's at 100. */
const LONGEST = 80;

/** What a tab has to tell: a question as long as it is open, an end until the tab was looked at. */
export const newsOf = (state: RunState | undefined, unseen: boolean): RunState | undefined =>
  state === "waiting" || (unseen && state !== undefined && isFinal(state)) ? state : undefined;

/** A dot's colour, and what is drawn in it: to be told apart on any browser's tabs, so it follows no theme of the page's. */
const DOTS: Partial<Record<RunState, readonly [colour: string, sign: string]>> = {
  waiting: ["#b45309", "M22 17.5v5M22 26v.01"],
  paused: ["#57606a", "M20 19v6M24 19v6"],
  completed: ["#0b7a69", "m18.5 22.3 2.5 2.5 4.5-5"],
  failed: ["#b3261e", "m19.5 19.5 5 5m0-5-5 5"],
  interrupted: ["#b3261e", "m19.5 19.5 5 5m0-5-5 5"],
  cancelled: ["#57606a", "M20 20h4v4h-4z"],
};
const LIVE = ["#0b7a69", ""] as const;

/** The page's icon (app/icon.svg) with a dot for what the run is at, as a `data:` URL; undefined: the icon as it is. */
export function iconOf(state: RunState | undefined, news: RunState | undefined): string | undefined {
  const told = news ?? state;
  if (told === undefined || (isFinal(told) && news === undefined)) return undefined;
  const [colour, sign] = DOTS[told] ?? LIVE;
  return `data:image/svg+xml,${encodeURIComponent(ICON.replace("COLOUR", colour).replace("SIGN", sign))}`;
}

const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><g fill="#0b7a69"><circle cx="8" cy="16" r="4"/>' +
  '<circle cx="24" cy="8" r="4"/></g><path d="M8 16 24 8M8 16l16 8" stroke="#0b7a69" stroke-width="2"/>' +
  '<circle cx="22" cy="22" r="10" fill="#fff"/><circle cx="22" cy="22" r="8.5" fill="COLOUR"/>' +
  '<path d="SIGN" fill="none" stroke="#fff" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round"/></svg>';
