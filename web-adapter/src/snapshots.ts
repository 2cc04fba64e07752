import type { Frame } from "./protocol.ts";
import { reduce } from "./reducer.ts";
import { emptyRun, type RunView } from "./view.ts";

/**
 * A run's views: the first after a silence in the task in which it came, then at most one per `ms`, and
 * the last without a wait; holds nothing but the newest view. 16 ms is a frame of a display; a timer and
 * not requestAnimationFrame, which rests in hidden tabs. `view`: what is known already; it is given first.
 */
export function snapshots(frames: AsyncIterable<Frame>, ms = 16, view = emptyRun): AsyncGenerator<RunView, void> {
  const source = frames[Symbol.asyncIterator]();
  let ended = false;
  let wake = () => {};

  async function pump(): Promise<void> {
    for (let next; !(next = await source.next()).done; wake()) view = reduce(view, next.value);
  }

  function end(): void {
    ended = true;
    void source.return?.();
    wake();
  }

  async function* read(): AsyncGenerator<RunView, void> {
    let shown: RunView | undefined;
    let due = 0;
    const done = pump().finally(end);
    done.catch(() => {});
    try {
      for (;;) {
        const early = due - performance.now();
        if (view === shown) {
          if (ended) return await done;
          await new Promise<void>((resolve) => (wake = resolve));
        } else if (early > 0 && !ended) await new Promise((resolve) => setTimeout(resolve, early));
        else {
          due = performance.now() + ms;
          yield (shown = view);
        }
      }
    } finally {
      end();
    }
  }

  const views = read();
  const close = views.return;
  return Object.assign(views, {
    /** At once: a generator's own would wait until the `next()` that is under way has got something. */
    return(value: void | PromiseLike<void>) {
      end();
      return close.call(views, value);
    },
  });
}
