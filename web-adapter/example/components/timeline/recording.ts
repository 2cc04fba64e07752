import { emptyRun, reduce, type Frame, type RunEvent, type RunView } from "crew-web-adapter";
import type { Bar, Timeline } from "./bars";
import { createFold } from "./fold";

/**
 * A page's memory is not the sidecar's disk. `events`: the sidecar keeps at most 110,000 of a run with its default of
 * SIDECAR_RETAIN. `text`: UTF-16 units in all of their strings, 128 MB. Beyond either the oldest go, a block at a time:
 * what the run was like then is told as from the first that is left. Their bars stay, up to as many as `bars`: then the
 * timeline begins where the events do.
 */
export const LIMITS = { events: 110_000, text: 64_000_000, bars: 200_000 } as const;

/** Events between two views that are kept: at most this many are folded anew to show a moment. */
export const BLOCK = 256;

/** Views share what did not change between them, so one kept costs what a step changes: a few KB. */
interface Block {
  /** What the run was before the first of its events. */
  readonly before: RunView;
  readonly events: RunEvent[];
  /** The earliest and latest `ts` of them. */
  low: number;
  high: number;
  text: number;
}

interface Moment {
  readonly ms: number;
  readonly view: RunView;
}

/** Every event of a run in order, and whatever there is to know of it at any moment. */
export interface Recording {
  /** Takes in what `follow` gives; false: nothing is different. */
  push(frame: Frame): boolean;
  /** How many events there are. */
  readonly length: number;
  /** The newest view. */
  readonly view: RunView;
  /** When the first event was that is still here; 0 before any. */
  readonly from: number;
  /** The run by the events whose `ts` is `ms` or earlier, in their order. */
  viewAt(ms: number): RunView;
  /** A bar's own events: those of what lies in it are theirs. */
  eventsOf(bar: Bar): readonly RunEvent[];
  timeline(): Timeline;
  /** What time it is where the crew works, Unix ms; null: nobody hears of it, or it is over. */
  now(): number | null;
  /** How far that clock is behind this page's `Date.now()`, ms; null: nobody hears of it. */
  setOffset(ms: number | null): void;
}

export function createRecording(limits: { readonly [Limit in keyof typeof LIMITS]: number } = LIMITS): Recording {
  let blocks: Block[] = [];
  let fold = createFold();
  let view: RunView = emptyRun;
  let length = 0;
  let text = 0;
  let offset: number | null = null;
  /** What was shown last: played on from there, what stays the same is the same object. */
  let shown: Moment | null = null;

  function push(frame: Frame): boolean {
    const next = reduce(view, frame);
    if (next === view) return false;
    if (!("data" in frame)) {
      // A reset: all is told again.
      blocks = [];
      fold = createFold();
      length = text = 0;
    } else store(frame);
    view = next;
    if (shown && (!("data" in frame) || frame.ts <= shown.ms)) shown = null;
    return true;
  }

  function store(event: RunEvent): void {
    let block = blocks.at(-1);
    if (block === undefined || block.events.length === BLOCK)
      blocks.push((block = { before: view, events: [], low: Infinity, high: -Infinity, text: 0 }));
    const size = sizeOf(event);
    block.events.push(event);
    block.low = Math.min(block.low, event.ts);
    block.high = Math.max(block.high, event.ts);
    block.text += size;
    length += 1;
    text += size;
    fold.push(event);
    if (fold.size() > limits.bars) {
      fold = createFold();
      for (const { events } of blocks) for (const kept of events) fold.push(kept);
    }
    while (blocks.length > 1 && (length > limits.events || text > limits.text)) {
      const gone = blocks.shift()!;
      length -= gone.events.length;
      text -= gone.text;
    }
  }

  function viewAt(ms: number): RunView {
    // Where all is earlier, a kept view has it; clocks that were set back leave blocks that are so in part.
    let n = 0;
    while (n < blocks.length && blocks[n]!.high <= ms) n += 1;
    let at = blocks[n]?.before ?? view;
    if (shown && shown.ms <= ms && shown.view.seq >= at.seq && playedOn(shown, ms)) at = shown.view;
    for (; n < blocks.length; n += 1) {
      const { low, events } = blocks[n]!;
      if (low <= ms) for (const event of events) if (event.ts <= ms && event.seq > at.seq) at = reduce(at, event);
    }
    shown = { ms, view: at };
    return at;
  }

  /** Whether what is to be shown is what was shown, gone on: nothing comes in between. */
  function playedOn(was: Moment, ms: number): boolean {
    const between = ({ seq, ts }: RunEvent) => seq <= was.view.seq && ts > was.ms && ts <= ms;
    return !blocks.some(({ low, high, events }) => low <= ms && high > was.ms && events.some(between));
  }

  function eventsOf(bar: Bar): readonly RunEvent[] {
    const mine = belongs(bar);
    const upTo = bar.end === null ? Infinity : bar.to;
    return blocks.flatMap(({ events }) =>
      events[0]!.seq > upTo || events.at(-1)!.seq < bar.from
        ? []
        : events.filter((event) => event.seq >= bar.from && event.seq <= upTo && mine(event)),
    );
  }

  return {
    push,
    get length() {
      return length;
    },
    get view() {
      return view;
    },
    get from() {
      return blocks[0]?.events[0]?.ts ?? 0;
    },
    viewAt,
    eventsOf,
    timeline: () => fold.timeline(),
    now: () => (offset === null || !fold.timeline().live ? null : Date.now() - offset),
    setOffset(ms) {
      offset = ms;
    },
  };
}

/** A run whose events are all there, as in a file. */
export function recordingOf(events: Iterable<RunEvent>): Recording {
  const recording = createRecording();
  for (const event of events) recording.push(event);
  return recording;
}

function belongs({ kind, key, tid, from, to }: Bar): (event: RunEvent) => boolean {
  switch (kind) {
    case "call":
    case "retry":
      return ({ type, data }) => type.startsWith("llm.") && "call" in data && data.call === key;
    case "tool":
      return ({ type, data }) => type.startsWith("tool.") && "call" in data && data.call === key;
    case "wait":
      return ({ type, data }) => type.startsWith("input.") && "input" in data && data.input === key;
    case "task":
    case "crew":
    case "flow":
    case "method":
      return (event) => event.type.startsWith(`${kind}.`) && (event.tid ?? event.task) === tid;
    case "agent":
      return (event) => event.type.startsWith("agent.") && (event.tid ?? event.task) === tid;
    case "aside":
      return ({ type, data }) =>
        type.startsWith(`${key.split(" ")[0]}.`) &&
        (!("call" in data) || key === `${key.split(" ")[0]} ${String(data["call"])}`);
    default:
      return ({ seq }) => seq === from || seq === to;
  }
}

/** How many UTF-16 units its strings have, about: those of its data, and of what is in that once more. */
function sizeOf({ data }: RunEvent): number {
  let size = 0;
  for (const value of Object.values(data))
    size +=
      typeof value === "string" ? value.length : value && typeof value === "object" ? JSON.stringify(value).length : 0;
  return size;
}
