"use client";

import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, type RefObject } from "react";
import { x, type Scale } from "./scale";

/** Pixels: what browsers lay out without losing any, and for a ms. */
const WIDEST = 8_000_000;
const FINEST = 20;

interface Zoom {
  readonly scale: Scale;
  /** By a factor; what is at `left` on the scale stays where it is seen, by default what is in the middle. */
  readonly zoom: (by: number, left?: number) => void;
  readonly fit: () => void;
  readonly fitted: boolean;
}

/** The scale of a plot: all of it in `width` pixels, until somebody wants to see more. Ctrl and the wheel zoom, a pinch too. */
export function useZoom(
  scroller: RefObject<HTMLElement | null>,
  from: number,
  until: number,
  width: number,
  label: number,
): Zoom {
  /** null: all of it. */
  const [chosen, choose] = useState<number | null>(null);
  const least = width / (until - from);
  const perMs = Math.max(least, chosen ?? least);
  const scale = useMemo(() => ({ from, perMs }), [from, perMs]);
  /** A time, and where it is to be seen; pixels from the left edge of the bars. */
  const anchor = useRef<{ readonly ms: number; readonly pixels: number } | null>(null);

  const zoomAt = useCallback(
    (by: number, pixels: number) => {
      const most = Math.max(least, Math.min(FINEST, WIDEST / (until - from)));
      const next = Math.min(most, Math.max(least, perMs * by));
      anchor.current = { ms: from + (scrolled(scroller) + pixels) / perMs, pixels };
      choose(next <= least ? null : next);
    },
    [scroller, from, until, least, perMs],
  );

  useLayoutEffect(() => {
    if (anchor.current) scroller.current?.scrollTo({ left: x(scale, anchor.current.ms) - anchor.current.pixels });
    anchor.current = null;
  }, [scroller, scale]);

  useEffect(() => {
    const here = scroller.current;
    const turn = (event: WheelEvent) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoomAt(Math.exp(-event.deltaY / 200), event.clientX - here!.getBoundingClientRect().left - label);
    };
    // Only one that is not passive can keep the page from zooming.
    here?.addEventListener("wheel", turn, { passive: false });
    return () => here?.removeEventListener("wheel", turn);
  }, [scroller, zoomAt, label]);

  return {
    scale,
    zoom: (by, left) => zoomAt(by, left === undefined ? width / 2 : left - scrolled(scroller)),
    fit: () => choose(null),
    fitted: perMs <= least,
  };
}

const scrolled = (element: RefObject<HTMLElement | null>): number => element.current?.scrollLeft ?? 0;
