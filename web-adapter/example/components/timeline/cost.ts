import type { Prices } from "crew-web-adapter";
import { costOfCalls, money } from "../cost";
import type { Bar, Timeline } from "./bars";

/** What a bar cost, written; null where that can't be known: a call in it has no price or told no tokens. */
export function costOf(timeline: Timeline, bar: Bar, prices: Prices | null): string | null {
  return prices && written(callsIn(timeline, bar), prices);
}

/** What the whole run cost; null too where calls are missing, since what is left would be too little. */
export function costOfRun({ bars, calls, start }: Timeline, prices: Prices | null): string | null {
  const ended = bars.filter(({ kind, state }) => kind === "call" && state === "completed");
  return prices && start > 0 && ended.length === calls ? written(ended, prices) : null;
}

/** The calls that came to an end inside a bar; itself, if it is one. */
function callsIn({ rows }: Timeline, bar: Bar): readonly Bar[] {
  if (bar.kind === "call") return [bar];
  const at = rows.findIndex(({ id }) => id === bar.row);
  const behind = rows.findIndex(({ depth }, n) => n > at && depth <= bar.depth);
  // The run's own row has all others in it, though they stand no deeper.
  const within = bar.kind === "attempt" ? rows : rows.slice(at, behind < 0 ? undefined : behind);
  const upTo = bar.end === null ? Infinity : bar.to;
  return within.flatMap(({ bars }) =>
    bars.filter(
      ({ kind, state, from, to, agent }) =>
        kind === "call" &&
        state === "completed" &&
        from >= bar.from &&
        to <= upTo &&
        (bar.kind !== "agent" || agent === bar.agent),
    ),
  );
}

function written(calls: readonly Bar[], prices: Prices): string | null {
  const told = calls.flatMap(({ model, tokens }) => (tokens ? [{ model, tokens }] : []));
  const cost = told.length === calls.length ? costOfCalls(told, prices) : null;
  return cost === null ? null : money(cost, prices.currency);
}
