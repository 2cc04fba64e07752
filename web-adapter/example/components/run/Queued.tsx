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
  /** How many begin before it. */
  readonly ahead: number;
  readonly working: readonly RunSnapshot[];
}

/** A run that waits for its turn: its place, and what it waits for. `ahead`: as it was when it was queued. */
export function Queued({ run, ahead }: { readonly run: string; readonly ahead: number }) {
  const queue = useQueue(run, ahead);
  return (
    <section className="queued" aria-label="Queue">
      <h2>{placeOf(queue.ahead)}</h2>
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

function placeOf(ahead: number): string {
  if (ahead === 0) return "It is next";
  return ahead === 1 ? "One run is ahead of it" : `${ahead} runs are ahead of it`;
}

function useQueue(run: string, first: number): Queue {
  const [queue, setQueue] = useState<Queue>({ ahead: first, working: [] });
  useEffect(() => {
    const unmount = new AbortController();
    const { signal } = unmount;
    const look = async () => {
      const [{ position }, working] = await Promise.all([
        crew.get(run, { signal }),
        crew.list({ state: "running", limit: NAMED, signal }),
      ]);
      if (!signal.aborted) setQueue(({ ahead }) => ({ ahead: position ?? ahead, working }));
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
