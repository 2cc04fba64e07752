/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(done, signal?.aborted ? 0 : ms);
    signal?.addEventListener("abort", done);
  });
}

export interface Deadline {
  /** Aborts with the parent, or when the time runs out. */
  readonly signal: AbortSignal;
  /** Winds it up (again): `ms` from now the signal aborts with `reason`. */
  arm(ms: number, reason: unknown): void;
  /** Why it aborted; `otherwise`, if it did not. */
  reason(otherwise: unknown): unknown;
  /** Lets go of the timer and the parent. */
  stop(): void;
  /** Stops, and aborts what it guards. */
  close(): void;
}

/** A time limit tied to a parent signal. (`AbortSignal.any` is too young for a library: 2024.) */
export function deadline(parent?: AbortSignal): Deadline {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const follow = () => controller.abort(parent?.reason);
  const stop = () => {
    clearTimeout(timer);
    parent?.removeEventListener("abort", follow);
  };
  if (parent?.aborted) follow();
  parent?.addEventListener("abort", follow);
  return {
    signal: controller.signal,
    arm(ms, reason) {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(reason), ms);
    },
    reason: (otherwise) => (controller.signal.aborted ? controller.signal.reason : otherwise),
    stop,
    close() {
      stop();
      controller.abort();
    },
  };
}
