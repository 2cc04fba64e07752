import type { RunView } from "crew-web-adapter";
import { lasting } from "../runs/When";

/** Less than this nobody would call a pause; ms. */
const INSTANT = 100;

/** How long a run took or has taken by `now`, and for how long of that nobody worked; ms. */
export interface Spent {
  readonly all: number;
  readonly paused: number;
  readonly waiting: number;
}

/** `now`: Unix ms. null: it has not begun. */
export function spentOf({ state, started, ended, since, stood }: RunView, now: number): Spent | null {
  if (started === null) return null;
  const until = ended ?? now;
  const here = (standing: keyof typeof stood) =>
    stood[standing] + (state === standing && since !== null ? Math.max(0, until - since) : 0);
  return { all: Math.max(0, until - started), paused: here("paused"), waiting: here("waiting") };
}

/** "31 s, 12 s of them paused and 4 s waiting for you". */
export function inWords({ all, paused, waiting }: Spent): string {
  const still = [
    [paused, "paused"],
    [waiting, "waiting for you"],
  ] as const;
  const told = still.filter(([ms]) => ms >= INSTANT).map(([ms, how], n) => lasting(ms) + (n ? " " : " of them ") + how);
  return lasting(all) + (told.length > 0 ? `, ${told.join(" and ")}` : "");
}
