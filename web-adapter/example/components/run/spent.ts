import { lasting } from "../runs/When";
import type { Spent } from "../worked";

/** Less than this nobody would call a pause; ms. */
const INSTANT = 100;

/** "31 s, 12 s of them paused and 4 s waiting for you". */
export function inWords({ all, paused, waiting }: Spent): string {
  const still = [
    [paused, "paused"],
    [waiting, "waiting for you"],
  ] as const;
  const told = still.filter(([ms]) => ms >= INSTANT).map(([ms, how], n) => lasting(ms) + (n ? " " : " of them ") + how);
  return lasting(all) + (told.length > 0 ? `, ${told.join(" and ")}` : "");
}
