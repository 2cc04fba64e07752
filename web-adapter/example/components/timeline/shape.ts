import type { Row } from "./bars";

/** Pixels. `label`: beside the bars where there is room, above them where there is none. */
export const SHAPE = { label: 184, stacked: 20, lane: 16, pad: 7, axis: 26, most: 8, least: 40 } as const;

/** Below this width a row's label stands above its bars. */
export const NARROW = 560;

/** How high a row is. */
export const heightOf = ({ lanes }: Row, stacked: boolean): number =>
  Math.max(stacked ? 0 : SHAPE.least, Math.min(lanes, SHAPE.most) * SHAPE.lane + 2 * SHAPE.pad) +
  (stacked ? SHAPE.stacked : 0);

/** Where each row begins, and behind them all where the last one ends. */
export function topsOf(rows: readonly Row[], stacked: boolean): readonly number[] {
  const tops = [0];
  for (const row of rows) tops.push(tops.at(-1)! + heightOf(row, stacked));
  return tops;
}

/** The first and, exclusive, the last of the rows that can be seen between two heights. */
export function seen(tops: readonly number[], from: number, to: number): readonly [number, number] {
  let [low, high] = [0, tops.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tops[middle + 1]! <= from) low = middle + 1;
    else high = middle;
  }
  const first = low;
  while (low < tops.length - 1 && tops[low]! < to) low += 1;
  return [first, low];
}
