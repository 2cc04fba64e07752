import { CrewError, type RunState, type TaskName, type TaskView } from "crew-web-adapter";
import { useCallback, useEffect, useState } from "react";
import { crew } from "../crew";

/** A run as `GET /runs` has it, as far as these pages read it. Times are Unix ms. */
export interface Snapshot {
  readonly run: string;
  readonly state: RunState;
  readonly created: number;
  readonly started: number | null;
  readonly finished: number | null;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly tasks: readonly (Pick<TaskName, "name" | "agent" | "tid"> & Pick<TaskView, "state">)[];
}

const NEWEST = 50;
/** Ms between two looks: what began elsewhere shows up by then. What is open here is followed, not polled. */
const PACE = 5_000;

export type Runs =
  | { readonly state: "loading" }
  | { readonly state: "failed"; readonly error: CrewError }
  | { readonly state: "known"; readonly runs: readonly Snapshot[] };

/** The newest runs, looked up again and again while the page is in sight. */
export function useRuns(): readonly [Runs, () => void] {
  const [known, setKnown] = useState<Runs>({ state: "loading" });
  const [asked, setAsked] = useState(0);
  const again = useCallback(() => setAsked((n) => n + 1), []);

  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      try {
        const { result } = await crew.command({ cmd: "list", limit: NEWEST }, { signal });
        if (!signal.aborted) setKnown({ state: "known", ...(result as { runs: readonly Snapshot[] }) });
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof CrewError)) throw error;
        setKnown({ state: "failed", error });
      }
      if (!signal.aborted && !document.hidden) timer = setTimeout(() => void look(), PACE);
    };
    const wake = () => {
      if (!document.hidden) again();
    };
    document.addEventListener("visibilitychange", wake, { signal });
    if (!document.hidden) void look();
    return () => {
      clearTimeout(timer);
      leaving.abort();
    };
  }, [asked, again]);

  return [known, again];
}

/** What a run's events do not say of it: its brief, and when it was. Looked up again as `state` changes. */
export function useSnapshot(run: string, state: string): Snapshot | undefined {
  const [snapshot, setSnapshot] = useState<Snapshot>();
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    crew.command({ cmd: "status", run }, { signal }).then(
      ({ result }) => !signal.aborted && setSnapshot(result as Snapshot),
      // The page follows the run as well, and says what is wrong with that.
      () => {},
    );
    return () => leaving.abort();
  }, [run, state]);
  return snapshot;
}

/** What was asked for, in words. */
export const briefOf = ({ inputs }: Pick<Snapshot, "inputs">): string =>
  typeof inputs["message"] === "string" && inputs["message"].trim() ? inputs["message"] : JSON.stringify(inputs);
