"use client";

import type { RunView } from "crew-web-adapter";
import { useDeferredValue, useMemo, useState } from "react";
import type { Recording } from "./recording";

interface Moment {
  /** Unix ms; null: the newest. */
  readonly at: number | null;
  readonly seek: (ms: number | null) => void;
  /** The run as it was then. It may come a little later than `at`, so that a long one holds no slider up. */
  readonly view: RunView;
}

/** Which moment of a run a page shows, to begin with the newest. */
export function useMoment(recording: Recording, version: number): Moment {
  const [at, seek] = useState<number | null>(null);
  const due = useDeferredValue(at);
  const view = useMemo(
    () => (due === null ? recording.view : recording.viewAt(due)),
    // The recording is the same one, its version is not.
    // oxlint-disable-next-line react/exhaustive-deps
    [recording, version, due],
  );
  return { at, seek, view };
}
