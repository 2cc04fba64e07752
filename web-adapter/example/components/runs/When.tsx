"use client";

import { useState } from "react";
import { useNow } from "../useNow";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** When it was, as a person would say it; the rest on hover. */
export function When({ ms }: { readonly ms: number }) {
  const [past] = useState(() => {
    const now = Date.now();
    return now - ms > HOUR && ago(ms, now);
  });
  return (
    <time dateTime={new Date(ms).toISOString()} title={new Date(ms).toLocaleString()}>
      {past || <Recently ms={ms} />}
    </time>
  );
}

/** Apart: of a list of what is long past nothing ticks. */
const Recently = ({ ms }: { readonly ms: number }) => <>{ago(ms, useNow(10_000))}</>;

/** How long it took, or has taken so far. */
export function Duration({ from, to }: { readonly from: number; readonly to: number | null }) {
  return to === null ? <SoFar from={from} /> : <>{lasting(to - from)}</>;
}

/** Apart: what has ended does not tick. */
const SoFar = ({ from }: { readonly from: number }) => <>{lasting(useNow(1_000) - from)}</>;

function ago(ms: number, now: number): string {
  const past = now - ms;
  if (past < MINUTE) return "just now";
  if (past < HOUR) return `${Math.floor(past / MINUTE)} min ago`;
  const date = new Date(ms);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return date.toDateString() === new Date(now).toDateString()
    ? time
    : `${date.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}

export function lasting(ms: number): string {
  const seconds = Math.max(0, ms / 1_000);
  if (seconds < 0.1) return "an instant";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
