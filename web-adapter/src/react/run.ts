import { useEffect, useState } from "react";
import type { CrewClient } from "../client.ts";
import type { CrewError } from "../errors.ts";
import type { ConnectionStatus } from "../status.ts";
import { reduce } from "../reducer.ts";
import type { Frame, RunSnapshot } from "../protocol.ts";
import { emptyRun, openQuestion, viewOf, type QuestionView, type RunView } from "../view.ts";
import { snapshots } from "../snapshots.ts";
import { useCrewConnection } from "./connection.ts";

interface RunFacts {
  /** The question that waits for an answer: `client.answer(run, question.id, text)`. */
  readonly question: QuestionView | null;
  /** The client's: see `useCrewConnection`. */
  readonly connection: ConnectionStatus["state"];
  readonly transport: ConnectionStatus["transport"];
  readonly trouble: string | null;
  /**
   * Ms that the newest event took from the worker to this page; null until one came live. By the
   * sidecar's clock: of all frames that told its time the fastest sets the offset between the two
   * clocks, so that frame's own way (about 1 ms on one machine) is left out.
   */
  readonly latency: number | null;
}

export type CrewRun =
  | { readonly state: "idle" }
  /** Nothing (more) can be told: the sidecar does not know the run, or refuses for good. */
  | { readonly state: "refused"; readonly error: CrewError }
  /** Nothing was heard of it yet. */
  | ({ readonly state: "loading" } & RunFacts)
  | (RunView & RunFacts);

interface Latest {
  readonly run: string;
  readonly view: RunView;
  readonly latency: number | null;
  readonly error?: CrewError;
}

/**
 * One run for a UI of one's own, followed for as long as the component is there. `initial`: what is
 * known of it already, for a page that a server has rendered: a snapshot, or a view that is gone on
 * from; looked at once per run.
 */
export function useCrewRun(
  client: CrewClient,
  run: string | null | undefined,
  initial?: RunView | RunSnapshot | null,
): CrewRun {
  const [latest, setLatest] = useState<Latest>();
  const { state: connection, transport, trouble } = useCrewConnection(client);
  const known = initial && initial.run === run ? ("work" in initial ? initial : viewOf(initial)) : undefined;

  useEffect(() => {
    if (!run) return;
    const unmount = new AbortController();
    const { signal } = unmount;
    const clock = createClock();
    let view = known?.id ? known : emptyRun;
    const follow = async () => {
      const frames = clock.watch(client.follow(run, { signal, ...(view.id && { after: view.id }) }));
      // What was is told at once: no finished run is shown as one that waits, and a picture stays until then.
      for (let at; !(at = await frames.next()).done && at.value.type !== "stream.live";) view = reduce(view, at.value);
      if (!signal.aborted && view.id) setLatest({ run, view, latency: clock.latency() });
      for await (view of snapshots(frames, 16, view)) {
        if (signal.aborted) return;
        if (view.id) setLatest({ run, view, latency: clock.latency() });
      }
    };
    follow().catch((error: CrewError) => {
      if (!signal.aborted) setLatest({ run, view, latency: clock.latency(), error });
    });
    return () => unmount.abort();
    // Another picture of the same run says nothing that following it does not.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [client, run]);

  if (!run) return { state: "idle" };
  const { view = known, latency = null, error } = latest?.run === run ? latest : {};
  if (error) return { state: "refused", error };
  const question = view ? openQuestion(view) : null;
  return { ...(view ?? LOADING), question, connection, transport, trouble, latency };
}

const LOADING = { state: "loading" } as const;

function createClock() {
  let offset = Infinity;
  let live = false;
  let latency: number | null = null;
  return {
    latency: () => latency,
    async *watch(frames: AsyncIterable<Frame>): AsyncGenerator<Frame, void> {
      for await (const frame of frames) {
        if ("server_time" in frame) offset = Math.min(offset, Date.now() - frame.server_time);
        else if (frame.type === "stream.live") live = true;
        else if (live && "ts" in frame) latency = Math.max(0, Date.now() - frame.ts - offset);
        yield frame;
      }
    },
  };
}
