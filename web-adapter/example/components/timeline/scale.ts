import type { Bar, Row, Timeline } from "./bars";
import { isSpan } from "./bars";

/** Where times are drawn: `from` at the left edge, Unix ms; pixels per ms. */
export interface Scale {
  readonly from: number;
  readonly perMs: number;
}

export const x = ({ from, perMs }: Scale, ms: number): number => (ms - from) * perMs;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Ms between two ticks that people can count by. */
const STEPS = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 6, 12, 24, 72, 168].map((n) => n * HOUR),
];

/** Pixels that a label needs. */
const LABEL = 72;

export interface Tick {
  /** From the run's beginning, ms. */
  readonly ms: number;
  readonly label: string;
}

/** Ticks between two times since the beginning. */
export function ticks(perMs: number, from: number, to: number): readonly Tick[] {
  const step = STEPS.find((ms) => ms * perMs >= LABEL) ?? STEPS.at(-1)!;
  const found: Tick[] = [];
  for (let ms = Math.max(0, Math.ceil(from / step) * step); ms <= to; ms += step)
    found.push({ ms, label: labelOf(ms, step) });
  return found;
}

function labelOf(ms: number, step: number): string {
  if (ms === 0) return "0";
  if (step < SECOND || ms < MINUTE)
    return `${(ms / SECOND).toFixed(step < 10 ? 3 : step < 100 ? 2 : step < SECOND ? 1 : 0)} s`;
  const two = (n: number) => String(Math.floor(n)).padStart(2, "0");
  const [hours, minutes, seconds] = [ms / HOUR, (ms % HOUR) / MINUTE, (ms % MINUTE) / SECOND];
  return hours < 1 ? `${Math.floor(minutes)}:${two(seconds)}` : `${Math.floor(hours)}:${two(minutes)}:${two(seconds)}`;
}

/** A live run gets room to grow into, so that its bars need not shrink with each moment: ms. */
export function roomFor(ms: number): number {
  const least = Math.max(ms, 5 * SECOND);
  const step = STEPS.find((each) => each * 4 >= least) ?? STEPS.at(-1)!;
  return (Math.floor(least / step) + 1) * step;
}

/** What the whole width shows, Unix ms. */
export function extentOf({ start, end, live }: Timeline, now: number | null): readonly [number, number] {
  return [start, live && now !== null ? start + roomFor(now - start) : Math.max(end, start + 1)];
}

/** A bar, or several of one lane that are too short to be told apart at this scale. */
export interface Item {
  readonly bars: readonly Bar[];
  readonly left: number;
  /** null: it goes on, to wherever now is. */
  readonly right: number | null;
}

/** Pixels: neighbours that are shorter are drawn as one, which is no longer than the other. */
const FINE = 4;
const BUNDLE = 24;

/** A row's bars at that scale: what other bars lie in comes before them. */
export function itemsOf(row: Row, scale: Scale): readonly Item[] {
  const items: { bars: Bar[]; left: number; right: number | null }[] = [];
  const lasts = new Map<string, (typeof items)[number]>();
  for (const bar of row.bars) {
    const { kind, lane } = bar;
    const track = isSpan(kind) || kind === "retry" || kind === "gap" ? kind : String(lane);
    const left = x(scale, bar.start);
    // A clock that was set back had it end before it began.
    const right = bar.end === null ? null : Math.max(left, x(scale, bar.end));
    const last = lasts.get(track);
    if (last && right !== null && fits(last, left, right)) {
      last.bars.push(bar);
      last.right = Math.max(last.right!, right);
    } else {
      const item = { bars: [bar], left, right };
      lasts.set(track, item);
      items.push(item);
    }
  }
  return items;
}

function fits(item: Item, left: number, right: number): boolean {
  if (item.right === null || (item.bars.length === 1 && item.right - item.left >= FINE)) return false;
  return right - left < FINE && left >= item.left && left - item.right < FINE && right - item.left <= BUNDLE;
}

/** Where the item that shows a bar is; -1 for none. */
export const placeOf = (items: readonly Item[], id: string | null): number =>
  items.findIndex(({ bars }) => bars.some((bar) => bar.id === id));
