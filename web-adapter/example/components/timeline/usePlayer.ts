"use client";

import { useEffect, useRef, useState } from "react";
import { isSpan, type Bar, type BarKind, type Timeline } from "./bars";

/** Between two moments that are shown, ms: a page that shows a long run has to be able to keep up. */
const STEP = 50;

/** Where somebody waited or nothing went on is told in no time, but not so fast that it is not seen: ms. */
const BEAT = 400;

interface Player {
  readonly playing: boolean;
  readonly play: () => void;
  readonly pause: () => void;
}

interface Pace {
  /** Times as fast as it was. */
  readonly speed: number;
  readonly skip: boolean;
}

/** Plays a run from the moment that is shown, or from its beginning; at its end it is left as it is. */
export function usePlayer(
  timeline: Timeline,
  at: number | null,
  onSeek: (ms: number | null) => void,
  { speed, skip }: Pace,
): Player {
  const [playing, setPlaying] = useState(false);
  const newest = useRef({ timeline, at, onSeek, speed, skip });
  useEffect(() => {
    newest.current = { timeline, at, onSeek, speed, skip };
  });

  useEffect(() => {
    if (!playing) return;
    let before = performance.now();
    let frame = requestAnimationFrame(function show(ms) {
      if (ms - before < STEP) {
        frame = requestAnimationFrame(show);
        return;
      }
      const { timeline: told, at: shown, onSeek: seek, speed: times, skip: skips } = newest.current;
      const from = shown ?? told.end;
      const rest = skips ? restAt(told, from) : null;
      const passed = Math.max(0, ms - before) * (rest === null ? times : Math.max(times, (rest[1] - rest[0]) / BEAT));
      const next = rest === null ? from + passed : Math.min(from + passed, rest[1]);
      before = ms;
      if (next >= told.end) {
        seek(null);
        setPlaying(false);
        return;
      }
      seek(next);
      frame = requestAnimationFrame(show);
    });
    return () => cancelAnimationFrame(frame);
  }, [playing]);

  return {
    playing,
    play: () => {
      if (at === null || at >= timeline.end) onSeek(timeline.start);
      setPlaying(true);
    },
    pause: () => setPlaying(false),
  };
}

/** The time around this moment in which nobody did anything, but for a person who was waited for; null: somebody did. */
export function restAt({ bars }: Pick<Timeline, "bars">, ms: number): readonly [number, number] | null {
  let rest: Bar | undefined;
  let until = Infinity;
  for (const bar of bars) {
    const { kind, start, end } = bar;
    const covers = start <= ms && (end === null || ms < end);
    if (RESTS.includes(kind)) {
      if (covers && end !== null) rest = bar;
    } else if (!isSpan(kind)) {
      // A pause holds up whatever is open.
      if (covers && kind !== "retry") until = Math.min(until, ms);
      else if (start > ms) until = Math.min(until, start);
    }
  }
  if (!rest || (until <= ms && rest.kind !== "pause")) return null;
  return [rest.start, rest.kind === "pause" ? rest.end! : Math.min(rest.end!, until)];
}

const RESTS: readonly BarKind[] = ["gap", "pause", "queue", "wait"];
