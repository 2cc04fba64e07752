"use client";

import { useState } from "react";
import type { Timeline } from "./bars";
import { PauseBars, Play } from "../icons";
import { usePlayer } from "./usePlayer";
import { clock } from "./words";

const SPEEDS = [1, 2, 4, 16];

interface PlayerProps {
  readonly timeline: Timeline;
  readonly at: number | null;
  readonly onSeek: (ms: number | null) => void;
}

/** Which moment of the run the page shows, and the run played from there. */
export function Player({ timeline, at, onSeek }: PlayerProps) {
  const [speed, setSpeed] = useState(1);
  const [skip, setSkip] = useState(false);
  const { playing, play, pause } = usePlayer(timeline, at, onSeek, { speed, skip });
  const { start, end, live } = timeline;
  const lasted = Math.max(1, end - start);
  const here = Math.min(Math.max((at ?? end) - start, 0), lasted);
  const words = `${clock(here)} of ${clock(lasted)}`;
  return (
    <div className="tl-player" role="group" aria-label="Player">
      <button
        type="button"
        className="tl-play"
        aria-label={playing ? "Pause the replay" : "Play"}
        onClick={playing ? pause : play}
      >
        {playing ? <PauseBars /> : <Play />}
      </button>
      <input
        type="range"
        aria-label="Moment"
        aria-valuetext={at === null && live ? `${words}, live` : words}
        min={0}
        max={lasted}
        step={Math.max(1, Math.round(lasted / 500))}
        value={here}
        style={{ ["--tl-played" as string]: here / lasted }}
        onChange={({ currentTarget }) => {
          pause();
          const ms = Number(currentTarget.value);
          // The last step may lie before the end.
          onSeek(ms >= lasted - lasted / 1_000 ? (live ? null : end) : start + ms);
        }}
      />
      <span className="tl-time" aria-hidden>
        {at === null && live ? "Live" : words}
      </span>
      <label className="tl-speed">
        <span className="sr-only">Speed</span>
        <select value={speed} onChange={({ currentTarget }) => setSpeed(Number(currentTarget.value))}>
          {SPEEDS.map((times) => (
            <option key={times} value={times}>
              {times}×
            </option>
          ))}
        </select>
      </label>
      <label className="tl-skip">
        <input type="checkbox" checked={skip} onChange={({ currentTarget }) => setSkip(currentTarget.checked)} />
        Skip gaps
      </label>
      <button
        type="button"
        className="tl-live"
        aria-disabled={at === null}
        onClick={() => {
          pause();
          onSeek(null);
        }}
      >
        {live ? "Back to live" : "To the end"}
      </button>
    </div>
  );
}
