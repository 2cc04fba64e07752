import type { RunEvent } from "../../src/index.ts";
import type { Bar } from "../../example/components/timeline/bars.ts";

/** A bar's kind and its ends, and for a call when its first token came. */
export type Ends = readonly [kind: string, start: number, end: number | null, first?: number | null];

/**
 * The ends of every bar, worked out in another way than the timeline does: for each event that begins something, by
 * looking through the rest of the log for what ends it. Slow, and without a memory.
 */
export function endsOf(log: readonly RunEvent[]): readonly Ends[] {
  const last = log.findIndex(({ final }) => final);
  const events = last < 0 ? log : log.slice(0, last + 1);
  return events.flatMap((event, n): Ends[] => {
    const [word = "", verb = ""] = event.type.split(".");
    const rest = events.slice(n + 1);
    // A worker that died was heard last before the next attempt began.
    const next = rest.findIndex(({ type }) => type === "run.started");
    const heard = next < 0 ? undefined : events.slice(0, n + 1 + next).findLast(isOfCrew);
    const ended = (ends: (one: RunEvent) => boolean): number | null => {
      const found = rest.findIndex((one) => one.final || ends(one));
      if (next >= 0 && (found < 0 || found > next)) return heard!.ts;
      return rest[found]?.ts ?? null;
    };
    const waited = (ends: (one: RunEvent) => boolean): number | null =>
      rest.find((one) => one.final || one.type === "run.started" || ends(one))?.ts ?? null;
    const same = (field: string) => (one: RunEvent) => valueOf(one, field) === valueOf(event, field);
    // What is begun once more has ended.
    const over = (one: RunEvent) => [`${word}.completed`, `${word}.failed`, event.type].includes(one.type);
    const mine = (one: RunEvent) => (one.tid ?? one.task) === (event.tid ?? event.task);

    if (event.type === "run.queued")
      return [["queue", event.ts, rest.find((one) => one.final || one.type === "run.started")?.ts ?? null]];
    if (event.type === "run.started") return [["attempt", event.ts, ended(() => false)]];
    if (event.type === "run.paused") return [["pause", event.ts, waited(({ type }) => type === "run.resumed")]];
    if (event.type === "input.requested")
      return [
        [
          "wait",
          event.ts,
          waited(
            (one) =>
              one.type === "run.cancelling" || (/^input\.(answered|expired)$/.test(one.type) && same("input")(one)),
          ),
        ],
      ];
    if (verb !== "started") return [];
    if (["task", "crew", "flow", "method"].includes(word))
      return [[word, event.ts, ended((one) => over(one) && mine(one))]];
    if (word === "agent")
      return [[word, event.ts, ended((one) => over(one) && mine(one) && one.agent === event.agent)]];
    const end = ended((one) => over(one) && same("call")(one));
    if (word === "tool") return [["tool", event.ts, end]];
    if (word === "llm") {
      const last = rest.findIndex((one) => one.final || one.type === "run.started" || (over(one) && same("call")(one)));
      const until = last < 0 ? rest : rest.slice(0, last);
      return [["call", event.ts, end, until.find((one) => one.type === "llm.delta" && same("call")(one))?.ts ?? null]];
    }
    return [["aside", event.ts, end]];
  });
}

/** The same of bars, without those that say that nothing happened, and those whose beginning is gone. */
export const endsOfBars = (bars: readonly Bar[]): readonly Ends[] =>
  bars.flatMap(({ kind, start, end, first, whole }) =>
    kind === "gap" || kind === "retry" || !whole
      ? []
      : [kind === "call" ? [kind, start, end, first] : [kind, start, end]],
  );

export const sorted = (ends: readonly Ends[]): readonly string[] => ends.map((one) => JSON.stringify(one)).toSorted();

const isOfCrew = ({ type, tid, task }: RunEvent): boolean =>
  tid !== undefined || task !== undefined || type === "run.started";

const valueOf = ({ data }: RunEvent, field: string): unknown => (data as Readonly<Record<string, unknown>>)[field];
