"use client";

import { useEffect, useRef, useState } from "react";
import { type Timeline } from "./bars";

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

/** The time around this moment in which nothing went on but waiting; null where something did. */
function restAt({ rows }: Timeline, ms: number): readonly [number, number] | null {
  const rests = ["gap", "pause", "queue"];
  const bar = rows[0]?.bars.find(
    ({ kind, start, end }) => rests.includes(kind) && start <= ms && end !== null && ms < end,
  );
  return bar ? [bar.start, bar.end!] : null;
}
