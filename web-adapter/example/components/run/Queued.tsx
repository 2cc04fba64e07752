"use client";

import { CrewError, type RunSnapshot } from "crew-web-adapter";
import Link from "next/link";
import { useEffect, useState } from "react";
import { addressOfRun } from "../address";
import { crew } from "../crew";
import { briefOf } from "../runs/brief";
import { Duration } from "../runs/When";

/** How often the sidecar is asked, ms, and how many of the runs at work are named. */
const LOOK = 2_000;
const NAMED = 5;

interface Queue {
  /** Its number in the line of those that wait, from 1. */
  readonly position: number;
  readonly working: readonly RunSnapshot[];
}

/** A run that waits for its turn: its place, and what it waits for. `position`: as it was when it was queued. */
export function Queued({ run, position }: { readonly run: string; readonly position: number }) {
  const queue = useQueue(run, position);
  return (
    <section className="queued" aria-label="Queue">
      <h2>{placeOf(queue.position)}</h2>
      {queue.working.length > 0 && (
        <>
          <p>It begins by itself once one of these is done, is paused or waits for an answer.</p>
          <ul>
            {queue.working.map((other) => (
              <li key={other.run}>
                <Link href={addressOfRun(other.run)} dir="auto">
                  {briefOf(other)}
                </Link>
                {other.started !== null && (
                  <span>
                    <Duration from={other.started} to={null} />
                  </span>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function placeOf(position: number): string {
  if (position <= 1) return "It is next";
  return position === 2 ? "One run is queued before it" : `${position - 1} runs are queued before it`;
}

function useQueue(run: string, first: number): Queue {
  const [queue, setQueue] = useState<Queue>({ position: first, working: [] });
  useEffect(() => {
    const unmount = new AbortController();
    const { signal } = unmount;
    const look = async () => {
      const [{ position }, { runs: working }] = await Promise.all([
        crew.get(run, { signal }),
        crew.runs({ state: "running", limit: NAMED, brief: true, signal }),
      ]);
      if (!signal.aborted) setQueue((before) => ({ position: position ?? before.position, working }));
    };
    const tick = () => {
      if (document.visibilityState === "visible")
        // What can't be asked now is asked again; that the connection is lost is said elsewhere.
        look().catch((error: unknown) => {
          if (!signal.aborted && !(error instanceof CrewError)) throw error;
        });
    };
    tick();
    const timer = setInterval(tick, LOOK);
    return () => {
      clearInterval(timer);
      unmount.abort();
    };
  }, [run]);
  return queue;
}
