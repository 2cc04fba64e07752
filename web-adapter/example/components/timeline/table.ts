import type { RunEvent } from "crew-web-adapter";
import { isSpan, type Bar, type BarKind, type BarState, type Busy, type Row } from "./bars";

/** Shorter ones are how a crew breathes between two steps; ms. */
export const GAP = 250;

/** What may be going on side by side in a row before its bars overlap. */
const LANES = 64;

/** A row in the making; its bars are replaced in place, and copied when somebody looks. */
export interface Making extends Omit<Row, "bars"> {
  label: string;
  name: string;
  kind: Row["kind"];
  state: Row["state"];
  tokens: Row["tokens"];
  calls: number;
  lanes: number;
  readonly within: Making | null;
  readonly inner: Making[];
  readonly bars: Bar[];
  /** Of each lane the place of its newest bar. */
  readonly tops: number[];
  /** What was given last; null: it has changed since. */
  given: Row | null;
}

/** A bar that may still change: its row, and where it is there. */
export interface Place {
  readonly row: Making;
  readonly at: number;
}

export const barOf = ({ row, at }: Place): Bar => row.bars[at]!;

type Doing = "models" | "tools" | "people" | "paused" | "anything";

const COUNTED: { readonly [Kind in BarKind]?: Exclude<Doing, "anything"> } = {
  call: "models",
  tool: "tools",
  wait: "people",
  pause: "paused",
};

/** Whether something is going on while it lasts. */
const isDoing = (kind: BarKind): boolean => !isSpan(kind) && kind !== "gap" && kind !== "retry";

/**
 * Rows and bars as they are made, and for how long what was going on. A bar is called by its kind and key for as long
 * as it may end.
 */
export function createTable() {
  const run: Making = making("", "run", "Run", "", null, null);
  const roots: Making[] = [run];
  const rows = new Map<string, Making>();
  const open = new Map<string, Place>();
  const doing: { readonly [What in Doing]: { count: number; ms: number; since: number | null } } = {
    models: { count: 0, ms: 0, since: null },
    tools: { count: 0, ms: 0, since: null },
    people: { count: 0, ms: 0, since: null },
    paused: { count: 0, ms: 0, since: null },
    anything: { count: 0, ms: 0, since: null },
  };
  /** Behind which nothing has been going on; null: something is, or nothing can be. */
  let idle: Pick<RunEvent, "ts" | "seq"> | null = null;
  let order: readonly Making[] | null = null;
  let laid = 0;

  function making(
    id: string,
    kind: Row["kind"],
    label: string,
    name: string,
    tid: string | null,
    within: Making | null,
  ): Making {
    const depth = within === null ? 0 : within.depth + 1;
    const blank = { state: "pending", tokens: null, calls: 0, lanes: 1, given: null } as const;
    return { ...blank, id, kind, label, name, tid, within, depth, inner: [], bars: [], tops: [] };
  }

  /** A row inside `within`; null: inside the run. */
  function add(id: string, kind: Row["kind"], label: string, name: string, tid: string, within: Making | null): Making {
    const row = making(id, kind, label, name, tid, within);
    rows.set(id, row);
    (within?.inner ?? roots).push(row);
    order = null;
    return row;
  }

  function edit(row: Making, by: Partial<Pick<Making, "label" | "name" | "kind" | "state">>): void {
    Object.assign(row, by);
    row.given = null;
  }

  /** Planned ones to which nothing ever came. */
  function dropPending(): void {
    const came = ({ bars, inner }: Making) => bars.length > 0 || inner.length > 0;
    const stay = roots.filter((row) => row === run || row.state !== "pending" || came(row));
    for (const row of roots) if (!stay.includes(row)) rows.delete(row.id);
    roots.splice(0, roots.length, ...stay);
    order = null;
  }

  function change(place: Place, by: Partial<Bar>): void {
    place.row.bars[place.at] = { ...barOf(place), ...by };
    place.row.given = null;
  }

  function begin(kind: BarKind, key: string, event: RunEvent, row: Making, more: Partial<Bar> = {}): Place {
    const before = open.get(`${kind} ${key}`);
    if (before) close(before, event.ts, event.seq, "cut");
    const place = lay(kind, key, event, row, more);
    open.set(`${kind} ${key}`, place);
    if (isDoing(kind)) {
      const { lane } = barOf(place);
      row.tops[lane] = place.at;
      row.lanes = Math.max(row.lanes, lane + 1);
      rest(event);
      count(kind, 1, event.ts);
    }
    return place;
  }

  function lay(
    kind: BarKind,
    key: string,
    { seq, ts, agent = null }: Pick<RunEvent, "seq" | "ts"> & { readonly agent?: string | null },
    row: Making,
    more: Partial<Bar>,
  ): Place {
    const bar: Bar = {
      id: `${kind} ${seq}`,
      kind,
      label: "",
      agent,
      model: null,
      start: ts,
      end: null,
      first: null,
      tokens: null,
      retries: 0,
      state: "running",
      error: null,
      row: row.id,
      lane: isDoing(kind) ? laneFor(row) : 0,
      depth: row.depth,
      tid: row.tid,
      whole: true,
      from: seq,
      to: seq,
      key,
      ...more,
    };
    row.given = null;
    laid += 1;
    return { row, at: row.bars.push(bar) - 1 };
  }

  /** The lowest lane in which nothing is going on; of very many the last one takes what is left. */
  function laneFor(row: Making): number {
    const free = row.tops.findIndex((at) => row.bars[at]!.end !== null);
    return free < 0 ? Math.min(row.tops.length, LANES - 1) : free;
  }

  function close(place: Place, ts: number, to: number, state: BarState, more: Partial<Bar> = {}): void {
    const { kind, key } = barOf(place);
    open.delete(`${kind} ${key}`);
    change(place, { end: ts, to, state, ...more });
    if (isDoing(kind)) count(kind, -1, ts);
  }

  /** Ends what is called so. Of what was never heard of only the end can be told. */
  function finish(
    kind: BarKind,
    key: string,
    event: RunEvent,
    row: () => Making,
    state: BarState,
    more: Partial<Bar> = {},
  ): void {
    const place = open.get(`${kind} ${key}`) ?? begin(kind, key, event, row(), { whole: false });
    close(place, event.ts, event.seq, state, more);
    if (isDoing(kind)) settled(event);
  }

  /** Ends all that is open, but what is `spared`. */
  function cut(ts: number, to: number, state: BarState, spared: (kind: BarKind) => boolean = () => false): void {
    for (const place of open.values()) {
      const { kind, row } = barOf(place);
      if (spared(kind)) continue;
      close(place, ts, to, state);
      const work = rows.get(row);
      if (work?.state === "running") edit(work, { state });
    }
  }

  function count(kind: BarKind, by: 1 | -1, ts: number): void {
    const counted = COUNTED[kind];
    for (const what of counted ? [doing.anything, doing[counted]] : [doing.anything]) {
      what.count += by;
      if (by === 1 && what.count === 1) since(what, ts);
      else if (what.count === 0) stop(what, ts);
    }
    // While the run is paused no model and no tool is waited for, whatever is open.
    if (counted === "paused") {
      for (const what of [doing.models, doing.tools])
        if (by === 1) stop(what, ts);
        else if (what.count > 0) since(what, ts);
    }
  }

  function since(what: { since: number | null }, ts: number): void {
    if (what.since === null && (doing.paused.count === 0 || what === doing.paused || what === doing.anything))
      what.since = ts;
  }

  function stop(what: { since: number | null; ms: number }, ts: number): void {
    if (what.since !== null) what.ms += Math.max(0, ts - what.since);
    what.since = null;
  }

  /** From now on nothing is going on, unless something is. */
  function settled(event: Pick<RunEvent, "ts" | "seq">): void {
    if (doing.anything.count === 0) idle = event;
  }

  /** Something goes on again, or ends: if nothing did for long enough, that is a bar. */
  function rest(event: Pick<RunEvent, "ts" | "seq">): void {
    if (idle !== null && event.ts - idle.ts >= GAP) gap(idle, event);
    idle = null;
  }

  function gap(from: Pick<RunEvent, "ts" | "seq">, to: Pick<RunEvent, "ts" | "seq">, label = ""): void {
    lay("gap", "", from, run, { label, state: "completed", end: to.ts, to: to.seq });
  }

  function rowsNow(): readonly Row[] {
    order ??= flat(roots);
    return order.map((row) => (row.given ??= given(row)));
  }

  const busy = (what: Exclude<Doing, "anything">): Busy => ({ ms: doing[what].ms, since: doing[what].since });

  return {
    run,
    rows,
    open,
    add,
    edit,
    dropPending,
    change,
    begin,
    finish,
    close,
    cut,
    settled,
    rest,
    gap,
    size: () => laid,
    rowsNow,
    busy,
  };
}

export type Table = ReturnType<typeof createTable>;

function given({ id, kind, label, name, depth, tid, state, tokens, calls, lanes, bars }: Making): Row {
  return { id, kind, label, name, depth, tid, state, tokens, calls, lanes, bars: [...bars] };
}

/** Each row, and behind it those in it. Without recursion: a flow's loops may nest. */
function flat(roots: readonly Making[]): readonly Making[] {
  const found: Making[] = [];
  const ahead = roots.toReversed();
  for (let row; (row = ahead.pop());) {
    found.push(row);
    for (const inner of row.inner.toReversed()) ahead.push(inner);
  }
  return found;
}
