import type { EventType, RunEvent } from "../src/index.ts";

/** An event in short: type, place (tid, in, task, …), data. */
export type Told = readonly [type: EventType, place: Partial<Omit<RunEvent, "type" | "data">>, data: object];

/** The log of a run that was told this, one event a second. An `in` of "" is none. */
export const logged = (...told: readonly Told[]): readonly RunEvent[] =>
  told.map(([type, { in: inside, ...place }, data], n) => {
    const numbered = { type, run: "r_told", seq: n + 1, id: `k3f9-${n + 1}`, ts: (n + 1) * 1000, at: 0 };
    return { ...numbered, ...place, ...(inside && { in: inside }), data } as RunEvent;
  });
