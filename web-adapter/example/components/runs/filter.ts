import type { RunPage, RunQuery, RunState } from "crew-web-adapter";
import { isFinal } from "crew-web-adapter";

/** Finished runs on a page. */
export const PAGE = 50;

/** As many as the sidecar gives at once: those that are open are all shown, in an order of their own. */
const ALL = 1_000;

/** How the page's address names them, and what is in them; nothing: any. */
export const GROUPS = {
  waiting: { name: "Waiting for you", states: ["waiting"] },
  open: { name: "Open", states: ["live"] },
  done: { name: "Done", states: ["completed"] },
  failed: { name: "Failed", states: ["failed", "interrupted"] },
  stopped: { name: "Stopped", states: ["cancelled"] },
} as const satisfies Record<string, { name: string; states: readonly (RunState | "live")[] }>;

export type Group = keyof typeof GROUPS;

export interface Filter {
  readonly state: Group | null;
  readonly crew: string | null;
  readonly q: string;
}

export const EVERYTHING: Filter = { state: null, crew: null, q: "" };

export const isEverything = ({ state, crew, q }: Filter): boolean => state === null && crew === null && q === "";

/** What the query of the page's address asks for. */
export function filterOf(query: URLSearchParams): Filter {
  const state = query.get("state") ?? "";
  return {
    state: Object.hasOwn(GROUPS, state) ? (state as Group) : null,
    crew: query.get("crew") || null,
    q: (query.get("q") ?? "").trim(),
  };
}

/** That query with another filter in it, the rest as it was: "" or `?…`. */
export function queryOf(filter: Filter, query: URLSearchParams): string {
  const then = new URLSearchParams(query);
  for (const [name, value] of Object.entries(filter)) {
    if (value) then.set(name, value as string);
    else then.delete(name);
  }
  return then.size > 0 ? `?${then}` : "";
}

/** What is asked for of those that are open, and of those that are over; null: none of them are wanted. */
export function queriesOf({ state, crew, q }: Filter): {
  readonly open: RunQuery | null;
  readonly over: RunQuery | null;
} {
  const about = { ...(crew !== null && { crew }), ...(q && { q }) };
  const states: readonly (RunState | "live" | "final")[] = state === null ? ["live", "final"] : GROUPS[state].states;
  const [open = [], over = []] = [(one: RunState | "live" | "final") => !isOver(one), isOver].map((is) =>
    states.filter(is),
  );
  return {
    // One of the two tells how many there are.
    open: open.length > 0 ? { state: open, ...about, limit: ALL, ...(over.length === 0 && { counts: true }) } : null,
    over: over.length > 0 ? { state: over, ...about, limit: PAGE, counts: true } : null,
  };
}

const isOver = (state: RunState | "live" | "final"): boolean =>
  state === "final" || (state !== "live" && isFinal(state));

/** How many runs a filter by state would show; undefined: nobody knows yet. null: with any state. */
export function countOf(name: Group | "over" | null, counts: RunPage["counts"]): number | undefined {
  if (!counts) return undefined;
  const states: readonly string[] = name === null || name === "over" ? [] : GROUPS[name].states;
  return Object.entries(counts).reduce((sum, [state, n]) => {
    const over = isOver(state as RunState);
    const counted =
      name === null || (name === "over" ? over : states.includes(state) || (states.includes("live") && !over));
    return counted ? sum + n : sum;
  }, 0);
}
