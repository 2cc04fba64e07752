import { lost } from "./errors.ts";

export interface Deadline {
  /** Aborts with the parent's reason, or with `reason` when the time has run out. */
  readonly signal: AbortSignal;
  /** Lets go of the timer and the parent; aborts what is still going on. */
  stop(): void;
}

/** A time limit tied to a parent signal. (`AbortSignal.any` is too young for a library: 2024.) */
export function deadline(ms: number, reason?: unknown, parent?: AbortSignal): Deadline {
  parent?.throwIfAborted();
  const controller = new AbortController();
  const { signal } = controller;
  const timer = setTimeout(stop, ms, reason);
  function stop(why?: unknown): void {
    clearTimeout(timer);
    controller.abort(why);
  }
  parent?.addEventListener("abort", () => stop(parent.reason), { signal });
  return { signal, stop };
}

/** Rejects with the signal's reason once it aborts. */
export const rejectOnAbort = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

/** What `task` gives within `ms`; else rejects as `lost`, or with the parent's reason. */
export async function within<T>(
  ms: number,
  task: (until: AbortSignal) => Promise<T>,
  parent?: AbortSignal,
): Promise<T> {
  const { signal, stop } = deadline(ms, lost(), parent);
  try {
    return await Promise.race([task(signal), rejectOnAbort(signal)]);
  } finally {
    stop();
  }
}

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
export const sleep = async (ms: number, parent?: AbortSignal): Promise<void> =>
  rejectOnAbort(deadline(ms, null, parent).signal).catch(() => parent?.throwIfAborted());
