"use client";

import {
  openQuestion,
  type ConnectionStatus,
  type CrewClient,
  type CrewError,
  type QuestionView,
  type RunView,
} from "crew-web-adapter";
import { useCrewConnection } from "crew-web-adapter/react";
import { useEffect, useReducer, useState } from "react";
import { createRecording, type Recording } from "./recording";

/** Between two pictures, ms: a frame of a display, and less often while a run is told that was long ago. */
const FRAME = 16;
const CATCHING_UP = 500;

interface Facts {
  readonly connection: ConnectionStatus["state"];
  readonly transport: ConnectionStatus["transport"];
  readonly trouble: string | null;
}

/** What `useCrewRun` tells of a run, and all that it was before. */
export type Recorded =
  | { readonly state: "idle" }
  /** Nothing (more) can be told: the sidecar does not know the run, or refuses for good. */
  | { readonly state: "refused"; readonly error: CrewError }
  /** Nothing was heard of it yet. */
  | ({ readonly state: "loading" } & Facts)
  | ({
      readonly state: "told";
      /** Always the same one for a run; `version` is another after each change of it. */
      readonly recording: Recording;
      readonly version: number;
      /** The newest. */
      readonly view: RunView;
      /** The question that waits for an answer. */
      readonly question: QuestionView | null;
    } & Facts);

interface Following {
  readonly run: string;
  readonly recording: Recording;
  readonly error?: CrewError;
}

/** A run and its recording, followed once for both, for as long as the component is there. */
export function useRecording(client: CrewClient, run: string | null | undefined): Recorded {
  const [following, setFollowing] = useState<Following>();
  const [version, changed] = useReducer((n: number) => n + 1, 0);
  const { state: connection, transport, trouble } = useCrewConnection(client);

  useEffect(() => {
    if (!run) return;
    const unmount = new AbortController();
    const { signal } = unmount;
    const recording = createRecording();
    const frames = createFrames(() => {
      setFollowing({ run, recording });
      changed();
    });
    const follow = async () => {
      let offset = Infinity;
      for await (const frame of client.follow(run, { signal })) {
        if ("server_time" in frame) {
          // The frame that came fastest says best how the two clocks differ.
          offset = Math.min(offset, Date.now() - frame.server_time);
          recording.setOffset(offset);
        }
        if (frame.type === "stream.live") frames.live();
        if (recording.push(frame)) frames.due();
      }
    };
    follow()
      .then(frames.now)
      .catch((error: CrewError) => {
        if (!signal.aborted) setFollowing({ run, recording, error });
      });
    return () => {
      unmount.abort();
      frames.stop();
    };
  }, [client, run]);

  if (!run) return { state: "idle" };
  const facts = { connection, transport, trouble };
  if (following?.run !== run) return { state: "loading", ...facts };
  const { recording, error } = following;
  if (error) return { state: "refused", error };
  const { view } = recording;
  return { state: "told", recording, version, view, question: openQuestion(view), ...facts };
}

/** Shows at most one picture per frame: the first after a silence in the task in which it came. */
function createFrames(show: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let next = performance.now() + CATCHING_UP;
  let pace = CATCHING_UP;
  let news = false;

  function now(): void {
    clearTimeout(timer);
    timer = undefined;
    if (!news) return;
    news = false;
    next = performance.now() + pace;
    show();
  }

  function due(): void {
    news = true;
    if (timer !== undefined) return;
    const wait = next - performance.now();
    if (wait <= 0) now();
    else timer = setTimeout(now, wait);
  }

  return {
    due,
    now,
    /** All that was is told: what comes now is news. */
    live() {
      pace = FRAME;
      now();
    },
    stop() {
      clearTimeout(timer);
      news = false;
    },
  };
}
