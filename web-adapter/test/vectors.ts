import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunEvent, RunSnapshot, RunState, TaskName, Usage } from "../src/index.ts";

const read = (name: string): unknown =>
  JSON.parse(readFileSync(join(import.meta.dirname, "../../tests/vectors", `${name}.json`), "utf8"));

export interface SseVector {
  readonly name: string;
  readonly frames: readonly { readonly event?: string; readonly id?: string; readonly data: string }[];
  readonly bytes: string;
  readonly last_event_id?: string;
  readonly retry?: number;
}

export const sse = read("sse") as { readonly vectors: readonly SseVector[]; readonly parse_only: readonly SseVector[] };

export interface RunVector {
  readonly name: string;
  readonly events: readonly RunEvent[];
  readonly snapshot: {
    readonly inputs: unknown;
    readonly started: number | null;
    readonly finished: number | null;
    readonly state: RunState;
    readonly model: string | null;
    readonly tasks: readonly (TaskName & { state: string; output: string | null })[];
    readonly input: unknown;
    readonly usage: Usage;
    readonly output: string | null;
    readonly error: unknown;
  };
}

export const runs = read("runs") as readonly RunVector[];

export function eventsOf(name: string): readonly RunEvent[] {
  const vector = runs.find((run) => run.name === name);
  if (!vector) throw new Error(`no vector called ${name}`);
  return vector.events;
}

/** A vector's snapshot as the gateway gives it, with what the vectors leave out. */
export function snapshotOf(name: string): RunSnapshot {
  const { events, snapshot } = runs.find((run) => run.name === name)!;
  return {
    run: "r_01jd",
    crew: "default",
    id: events.at(-1)?.id ?? null,
    seq: events.at(-1)?.seq ?? 0,
    created: events[0]?.ts ?? 0,
    attempt: 1,
    review: [],
    thread: "t_1",
    after: null,
    forked: null,
    reason: null,
    ...snapshot,
  } as RunSnapshot;
}
