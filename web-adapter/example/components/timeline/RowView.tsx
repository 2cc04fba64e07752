"use client";

import { memo } from "react";
import { count } from "../worked";
import type { Bar, Row } from "./bars";
import { isSpan } from "./bars";
import { x, type Item, type Scale } from "./scale";
import { SHAPE } from "./shape";
import { clock, emptyOf, glanceOf, inWords, nameOf } from "./words";

interface RowViewProps {
  readonly row: Row;
  /** Those that are to be drawn. */
  readonly items: readonly Item[];
  readonly scale: Scale;
  readonly top: number;
  readonly height: number;
  /** From 1. */
  readonly index: number;
  readonly stacked: boolean;
  readonly live: boolean;
  /** The bar that Tab comes to, if it is in this row. */
  readonly active: string | null;
  /** The bar whose details are shown, if it is in this row. */
  readonly chosen: string | null;
  /** Unix ms; any time where nothing in it goes on. */
  readonly now: number;
}

/** One row: whose it is, and what happened in it. */
export const RowView = memo(function RowView(props: RowViewProps) {
  const { row, items, scale, top, height, index, stacked, live, active, chosen, now } = props;
  const main = row.bars.findLast(({ kind }) => kind === row.kind || kind === "attempt");
  const empty = emptyOf(row, live);
  const heading = (
    <>
      <span className="tl-who">{inWords(row.label.trim()) || inWords(row.kind)}</span>
      {row.name && <span className="tl-what">{inWords(row.name)}</span>}
    </>
  );
  return (
    <div
      className="tl-row"
      role="row"
      aria-rowindex={index}
      aria-level={row.depth + 1}
      data-kind={row.kind}
      data-state={row.state}
      data-testid="timeline-row"
      style={{ top, height }}
    >
      <div className="tl-label" role="rowheader" style={{ paddingInlineStart: row.depth * 12 }}>
        {main ? (
          <button type="button" tabIndex={-1} data-opens={main.id} title={inWords(`${row.label.trim()} ${row.name}`)}>
            {heading}
          </button>
        ) : (
          <span className="tl-name">{heading}</span>
        )}
      </div>
      <div className="tl-bars" role="gridcell" style={{ top: stacked ? SHAPE.stacked : 0 }}>
        {items.map((item) => (
          <BarView
            key={item.bars[0]!.id}
            item={item}
            row={row}
            scale={scale}
            height={height - (stacked ? SHAPE.stacked : 0)}
            tabbable={item.bars.some(({ id }) => id === active)}
            chosen={item.bars.some(({ id }) => id === chosen)}
            now={now}
          />
        ))}
        {empty && <span className="tl-empty">{empty}</span>}
      </div>
    </div>
  );
});

interface BarViewProps {
  readonly item: Item;
  readonly row: Row;
  readonly scale: Scale;
  readonly height: number;
  readonly tabbable: boolean;
  readonly chosen: boolean;
  readonly now: number;
}

function BarView({ item, row, scale, height, tabbable, chosen, now }: BarViewProps) {
  const { bars, left, right } = item;
  const bar = bars[0]!;
  const { kind, state, first, start, end } = bar;
  const whole = isSpan(kind) || kind === "gap";
  const lane = Math.min(bar.lane, SHAPE.most - 1);
  const inset = kind === "agent" ? 3 : 0;
  const space = (height - Math.min(row.lanes, SHAPE.most) * SHAPE.lane) / 2;
  const box = whole
    ? { top: space - 4 + inset, height: height - 2 * (space - 4 + inset) }
    : { top: space + lane * SHAPE.lane + 1, height: SHAPE.lane - 2 };
  const several = bars.length > 1;
  return (
    <button
      type="button"
      className="tl-bar"
      tabIndex={tabbable ? 0 : -1}
      aria-label={several ? manyOf(bars, scale.from) : glanceOf(bar, scale.from, now)}
      aria-pressed={chosen}
      data-bar={bar.id}
      data-kind={several ? "several" : kind}
      data-state={several && bars.some((one) => one.state === "failed") ? "failed" : state}
      data-start={start}
      data-end={end ?? undefined}
      data-first={first ?? undefined}
      data-testid="timeline-bar"
      style={{
        left,
        ...box,
        width: right === null ? `max(3px, calc(var(--tl-now) - ${left}px))` : Math.max(3, right - left),
      }}
    >
      {kind === "call" && !several && <Waited left={left} first={first === null ? null : x(scale, first)} />}
      {!whole && right !== null && right - left > (kind === "wait" ? 128 : 64) && (
        <span className="tl-text">{shortOf(bar)}</span>
      )}
    </button>
  );
}

/** The part of a call before its first token. */
const Waited = ({ left, first }: { readonly left: number; readonly first: number | null }) => (
  <i
    className="tl-first"
    style={{ width: first === null ? "100%" : Math.max(0, first - left) }}
    data-come={first !== null}
  />
);

const shortOf = (bar: Bar): string =>
  bar.kind === "tool" || bar.kind === "aside" ? bar.label : bar.kind === "wait" ? nameOf(bar) : "";

function manyOf(bars: readonly Bar[], start: number): string {
  const calls = bars.filter(({ kind }) => kind === "call").length;
  const tools = bars.filter(({ kind }) => kind === "tool").length;
  const told = [calls > 0 && count(calls, "model call"), tools > 0 && count(tools, "tool call")].filter(Boolean);
  const others = bars.length - calls - tools;
  if (others > 0) told.push(count(others, told.length > 0 ? "other" : "bar"));
  return `${told.join(", ")}, from ${clock(bars[0]!.start - start)} to ${clock((bars.at(-1)!.end ?? start) - start)}`;
}
