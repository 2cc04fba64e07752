import type { Prices } from "crew-web-adapter";
import { costOfCalls, money } from "../cost";
import type { Timeline } from "../timeline/bars";

/**
 * What the model calls cost that had ended by `at` (Unix ms; null: all so far), each by its own model's price. null: one
 * of them has none, or there was none.
 */
export function costUntil({ bars }: Timeline, at: number | null, prices: Prices): string | null {
  const calls = bars.flatMap(({ kind, model, tokens, end }) =>
    kind === "call" && tokens && (at === null || (end !== null && end <= at)) ? [{ model, tokens }] : [],
  );
  const cost = costOfCalls(calls, prices);
  return cost === null ? null : money(cost, prices.currency);
}
