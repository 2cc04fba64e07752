"use client";

import { useEffect, useLayoutEffect, type RefObject } from "react";
import type { Recording } from "./recording";
import { x, type Scale } from "./scale";

/** Between two looks at the clock, ms: a bar that grows is nothing that is read. */
const TICK = 50;

/**
 * Keeps `--tl-now` of an element where now is on the scale, without rendering anything; `outgrown` is called when that
 * is beyond `until`. It stands still when nobody hears of the run; in a tab that is hidden, where nothing is drawn; and
 * for those who want less motion, to whom only what is told moves it.
 */
export function useClock(
  element: RefObject<HTMLElement | null>,
  recording: Recording,
  version: number,
  scale: Scale,
  until: number,
  outgrown: () => void,
): void {
  useLayoutEffect(() => {
    set(element.current, scale, nowOf(recording));
  });

  useEffect(() => {
    if (recording.now() === null || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    let frame: number;
    let last = 0;
    const tick = (ms: number) => {
      if (ms - last >= TICK) {
        last = ms;
        const now = recording.now();
        if (now === null) return;
        set(element.current, scale, now);
        if (now > until) outgrown();
      }
      frame = requestAnimationFrame(tick);
    };
    frame = requestAnimationFrame(tick);
    return () => cancelAnimationFrame(frame);
  }, [element, recording, version, scale, until, outgrown]);
}

/** Where what goes on has come to: by the clock, or as far as was heard. */
export const nowOf = (recording: Recording): number => {
  const { end } = recording.timeline();
  return Math.max(end, recording.now() ?? end);
};

function set(element: HTMLElement | null, scale: Scale, now: number): void {
  element?.style.setProperty("--tl-now", `${x(scale, now)}px`);
}
