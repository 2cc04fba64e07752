import { useEffect, useState } from "react";
import type { CrewClient } from "../client.ts";
import type { CrewError } from "../errors.ts";
import type { ConnectionStatus } from "../follow.ts";
import type { Frame } from "../protocol.ts";
import { emptyRun, type QuestionView, type RunView } from "../view.ts";
import { snapshots } from "../snapshots.ts";
import { useCrewConnection } from "./hooks.ts";

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
  | (RunView & RunFacts);

interface Latest {
  readonly run: string;
  readonly view: RunView;
  readonly latency: number | null;
  readonly error?: CrewError;
}

/** One run for a UI of one's own, followed on a connection of its own for as long as the component is there. */
export function useCrewRun(client: CrewClient, run: string | null | undefined): CrewRun {
  const [latest, setLatest] = useState<Latest>();
  const { state: connection, transport, trouble } = useCrewConnection(client);

  useEffect(() => {
    if (!run) return;
    const unmount = new AbortController();
    const { signal } = unmount;
    const clock = createClock();
    let view = emptyRun;
    const follow = async () => {
      for await (view of snapshots(clock.watch(client.follow(run, { signal }))))
        setLatest({ run, view, latency: clock.latency() });
    };
    follow().catch((error: CrewError) => {
      if (!signal.aborted) setLatest({ run, view, latency: clock.latency(), error });
    });
    return () => unmount.abort();
  }, [client, run]);

  if (!run) return { state: "idle" };
  const { view, latency, error } = latest?.run === run ? latest : { view: emptyRun, latency: null, error: undefined };
  if (error) return { state: "refused", error };
  const question =
    view.notes.find((note): note is QuestionView => note.kind === "question" && note.state === "open") ?? null;
  return { ...view, question, connection, transport, trouble, latency };
}

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
