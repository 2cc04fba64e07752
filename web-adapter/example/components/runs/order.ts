import type { RunSnapshot, RunState } from "crew-web-adapter";

/** What wants a person first, then what moves, what stands still, what waits for its turn, and what is over. */
const RANKS: Record<RunState, number> = {
  waiting: 0,
  running: 1,
  starting: 1,
  pausing: 1,
  cancelling: 1,
  paused: 2,
  queued: 3,
  completed: 4,
  failed: 4,
  cancelled: 4,
  interrupted: 4,
};

type Ordered = Pick<RunSnapshot, "state" | "position">;

/** Runs that come newest first, as somebody looks for them; those in line as they will start. */
export const inOrder = <Run extends Ordered>(runs: readonly Run[]): readonly Run[] =>
  runs
    .map((run, age) => ({ run, age }))
    .toSorted(
      (a, b) =>
        RANKS[a.run.state] - RANKS[b.run.state] ||
        // In line the older one comes first also where the sidecar tells no place.
        (a.run.state === "queued" ? placeOf(a.run) - placeOf(b.run) || b.age - a.age : a.age - b.age),
    )
    .map(({ run }) => run);

const placeOf = ({ position = Infinity }: Ordered): number => position;

/** A place in line, from 1. */
export function placeInWords(position: number): string {
  if (position <= 1) return "Next in the queue";
  const last = position % 10;
  const ends = ["th", "st", "nd", "rd"] as const;
  const end = Math.floor(position / 10) % 10 === 1 ? "th" : (ends[last] ?? "th");
  return `${position.toLocaleString("en")}${end} in the queue`;
}
