"use client";

import {
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
  type KeyboardEvent,
  type MouseEvent,
} from "react";
import type { Bar, Row, Timeline } from "./bars";
import type { Recording } from "./recording";
import { RowView } from "./RowView";
import { extentOf, itemsOf, placeOf, ticks, x, type Item, type Scale } from "./scale";
import { heightOf, NARROW, seen, SHAPE, topsOf } from "./shape";
import { nowOf, useClock } from "./useClock";
import { useSize } from "./useSize";
import { useZoom } from "./useZoom";

interface PlotProps {
  readonly recording: Recording;
  readonly timeline: Timeline;
  readonly version: number;
  readonly at: number | null;
  readonly chosen: readonly string[];
  readonly onChoose: (bars: readonly Bar[]) => void;
  readonly onSeek: (ms: number) => void;
  /** Says what the pointer or the focus is at. */
  readonly onGlance: (words: string) => void;
}

/** Pixels that are drawn beyond what can be seen, and between two looks at what that is. */
const AROUND = 240;

/** Pixels of the longest label of a tick. */
const EDGE = 44;

const floor = (pixels: number): number => Math.floor(pixels / AROUND) * AROUND;

/** The bars over their axis. Of rows and bars those are there that can be seen, and the one that has the focus. */
export function Plot({ recording, timeline, version, at, chosen, onChoose, onSeek, onGlance }: PlotProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLDivElement>(null);
  const size = useSize(scroller);
  const [spot, setSpot] = useState({ left: 0, top: 0 });
  const [active, setActive] = useState<string | null>(null);
  const wanted = useRef(false);
  const [, outgrown] = useReducer((n: number) => n + 1, 0);

  const stacked = size.width < NARROW;
  const label = stacked ? 0 : SHAPE.label;
  const width = Math.max(1, size.width - label - 1);
  const { rows, start, live } = timeline;
  const now = nowOf(recording);
  const [, until] = extentOf(timeline, recording.now());
  const { scale, zoom, fit, fitted } = useZoom(scroller, start, until, width, label);
  useClock(canvas, recording, version, scale, until, outgrown);

  const tops = useMemo(() => topsOf(rows, stacked), [rows, stacked]);
  const itemsOfRow = useMemo(() => createItems(scale), [scale]);
  const activeBar = active ?? rows.find(({ bars }) => bars.length > 0)?.bars[0]?.id ?? null;
  const activeRow = rows.findIndex(({ bars }) => bars.some(({ id }) => id === activeBar));
  const all = Math.max(width, x(scale, until));

  const [from, to] = seen(tops, spot.top - AROUND, spot.top + size.height + AROUND);
  const [left, right] = [spot.left - AROUND, spot.left + width + 2 * AROUND];
  const near = (item: Item) => item.left < right && (item.right ?? Infinity) > left;
  const drawn = rows.slice(from, to).map((row, n) => [row, from + n] as const);
  if (activeRow >= 0 && (activeRow < from || activeRow >= to)) drawn.push([rows[activeRow]!, activeRow]);

  // A label that would be cut off at the right edge is none.
  const marks = ticks(scale.perMs, left / scale.perMs, Math.min(right, all - EDGE) / scale.perMs);

  function reveal(row: number, item: Item): void {
    const here = scroller.current!;
    const [top = 0, bottom = 0] = [tops[row], tops[row + 1]];
    const space = here.clientHeight - SHAPE.axis;
    if (top < here.scrollTop) here.scrollTop = top;
    else if (bottom > here.scrollTop + space) here.scrollTop = bottom - space;
    const end = Math.min(item.right ?? x(scale, now), item.left + width * 0.8);
    if (item.left < here.scrollLeft) here.scrollLeft = item.left - 24;
    else if (end > here.scrollLeft + width) here.scrollLeft = end - width + 24;
  }

  function go(row: number, item: Item | undefined): void {
    if (!item) return;
    wanted.current = true;
    setActive(item.bars[0]!.id);
    reveal(row, item);
  }

  useLayoutEffect(() => {
    if (!wanted.current) return;
    wanted.current = false;
    canvas.current?.querySelector<HTMLElement>(".tl-bar[tabindex='0']")?.focus({ preventScroll: true });
  });

  // What is shown of the run stays in sight as it is played.
  const playhead = at === null ? null : x(scale, at);
  useEffect(() => {
    const here = scroller.current;
    if (!here || playhead === null || (playhead >= here.scrollLeft && playhead <= here.scrollLeft + width)) return;
    here.scrollLeft = playhead - width / 5;
  }, [playhead, width]);

  function onKeyDown(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey || activeRow < 0) return;
    const items = inOrder(itemsOfRow(rows[activeRow]!));
    const place = placeOf(items, activeBar);
    const step = (by: 1 | -1) => {
      for (let row = activeRow + by; rows[row]; row += by)
        if (rows[row]!.bars.length > 0) return go(row, nearest(itemsOfRow(rows[row]!), items[place]?.left ?? 0));
    };
    const keys: Record<string, () => void> = {
      ArrowRight: () => go(activeRow, items[place + 1]),
      ArrowLeft: () => go(activeRow, items[place - 1]),
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      Home: () => go(activeRow, items[0]),
      End: () => go(activeRow, items.at(-1)),
      "+": () => zoom(1.5, items[place]?.left),
      "=": () => zoom(1.5, items[place]?.left),
      "-": () => zoom(1 / 1.5, items[place]?.left),
      "0": fit,
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  const itemAt = (target: EventTarget): readonly Bar[] | undefined => {
    const id = (target as Element).closest<HTMLElement>("[data-bar]")?.dataset["bar"];
    for (const [row] of id === undefined ? [] : drawn) {
      const items = itemsOfRow(row);
      const place = placeOf(items, id!);
      if (place >= 0) return items[place]!.bars;
    }
    const opens = (target as Element).closest<HTMLElement>("[data-opens]")?.dataset["opens"];
    const bar = opens === undefined ? undefined : timeline.bars.find(({ id: each }) => each === opens);
    return bar && [bar];
  };

  function onClick({ target, currentTarget, clientX }: MouseEvent<HTMLDivElement>): void {
    const bars = itemAt(target);
    if (bars) onChoose(bars);
    else if ((target as Element).closest(".tl-axis")) {
      const pixels = clientX - currentTarget.getBoundingClientRect().left + currentTarget.scrollLeft - label;
      onSeek(Math.min(Math.max(start + pixels / scale.perMs, start), timeline.end));
    }
  }

  const glance = useCallback(
    (target: EventTarget) => onGlance((target as Element).closest("[data-bar]")?.getAttribute("aria-label") ?? ""),
    [onGlance],
  );

  return (
    <>
      <div className="tl-zoom" role="group" aria-label="Zoom">
        <button type="button" onClick={() => zoom(1 / 1.5)} aria-disabled={fitted} aria-label="Zoom out">
          −
        </button>
        <button type="button" onClick={() => zoom(1.5)} aria-label="Zoom in">
          +
        </button>
        <button type="button" onClick={fit} aria-disabled={fitted}>
          Fit
        </button>
      </div>
      <div
        ref={scroller}
        className="tl-plot"
        role="treegrid"
        tabIndex={-1}
        aria-label="Timeline"
        aria-rowcount={rows.length}
        data-stacked={stacked || undefined}
        onScroll={({ currentTarget: { scrollLeft, scrollTop } }) => {
          const [nextLeft, nextTop] = [floor(scrollLeft), floor(scrollTop)];
          setSpot((was) => (was.left === nextLeft && was.top === nextTop ? was : { left: nextLeft, top: nextTop }));
        }}
        onKeyDown={onKeyDown}
        onClick={onClick}
        onPointerOver={({ target }) => glance(target)}
        onPointerLeave={() => onGlance("")}
        onFocus={({ target }) => {
          const id = target.closest<HTMLElement>("[data-bar]")?.dataset["bar"];
          if (id !== undefined) setActive(id);
          glance(target);
        }}
        onBlur={() => onGlance("")}
      >
        <div
          ref={canvas}
          className="tl-canvas"
          style={{ width: label + all, height: SHAPE.axis + tops.at(-1)!, ["--tl-label" as string]: `${label}px` }}
        >
          <div className="tl-axis" aria-hidden style={{ height: SHAPE.axis }}>
            {marks.map((tick) => (
              <span key={tick.ms} className="tl-tick" style={{ left: label + tick.ms * scale.perMs }}>
                {tick.label}
              </span>
            ))}
          </div>
          <div className="tl-lines" aria-hidden>
            {marks.map(({ ms }) => (
              <i key={ms} style={{ left: ms * scale.perMs }} />
            ))}
          </div>
          {drawn.map(([row, n]) => {
            const here = itemsOfRow(row).filter(
              (item) => near(item) || (n === activeRow && item.bars.some(({ id }) => id === activeBar)),
            );
            return (
              <RowView
                key={row.id}
                row={row}
                items={here}
                scale={scale}
                top={SHAPE.axis + tops[n]!}
                height={heightOf(row, stacked)}
                index={n + 1}
                stacked={stacked}
                live={live}
                active={n === activeRow ? activeBar : null}
                chosen={
                  chosen[0] !== undefined && here.some(({ bars }) => bars[0]!.id === chosen[0]) ? chosen[0] : null
                }
                now={here.some((item) => item.right === null) ? now : 0}
              />
            );
          })}
          <div className="tl-lines tl-over" aria-hidden>
            {live && <i className="tl-now" />}
            {playhead !== null && <i className="tl-playhead" style={{ left: playhead }} />}
          </div>
        </div>
      </div>
    </>
  );
}

/** Each row's items at this scale, worked out when they are looked at. */
function createItems(scale: Scale): (row: Row) => readonly Item[] {
  const known = new WeakMap<Row, readonly Item[]>();
  return (row) => {
    const items = known.get(row) ?? itemsOf(row, scale);
    known.set(row, items);
    return items;
  };
}

/** By their beginnings; of two that begin together the one first in which the other lies. */
const inOrder = (items: readonly Item[]): readonly Item[] => items.toSorted((a, b) => a.left - b.left);

const nearest = (items: readonly Item[], left: number): Item | undefined =>
  items.toSorted((a, b) => distance(a, left) - distance(b, left))[0];

const distance = (item: Item, left: number): number =>
  item.left > left ? item.left - left : Math.max(0, left - (item.right ?? Infinity));
