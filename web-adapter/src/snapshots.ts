import type { Frame } from "./protocol.ts";
import { reduce } from "./reducer.ts";
import { sleep } from "./timer.ts";
import { emptyRun, type RunView } from "./view.ts";

/**
 * A run's views, at most one per `ms`, always with the last; holds nothing but the newest view.
 * 16 ms is a frame of a display; a timer and not requestAnimationFrame, which rests in hidden tabs.
 * `view`: what is known already.
 */
export async function* snapshots(
  frames: AsyncIterable<Frame>,
  ms = 16,
  view = emptyRun,
): AsyncGenerator<RunView, void> {
  let shown: RunView | undefined;
  let ended = false;
  let wake: (() => void) | undefined;
  const source = frames[Symbol.asyncIterator]();
  const pump = (async () => {
    for (let next; !(next = await source.next()).done; wake?.()) view = reduce(view, next.value);
  })().finally(() => {
    ended = true;
    wake?.();
  });
  pump.catch(() => {});
  try {
    for (;;) {
      if (view !== shown) yield (shown = view);
      else if (ended) return await pump;
      else await new Promise<void>((resolve) => (wake = resolve));
      if (!ended) await sleep(ms);
    }
  } finally {
    // Not awaited: it takes effect with the source's next frame.
    void source.return?.();
  }
}
