import type { CrewClient } from "../client.ts";

/** The runs of a conversation: ids only, for their logs have the rest. */
export interface RunMemory {
  /** Oldest first. */
  list(): readonly string[];
  /**
   * `after`: the run whose reply it branches off from ("": from the beginning); without it, it goes on where
   * the last one ended.
   */
  add(run: string, after?: string): void;
  after(run: string): string | undefined;
  forget(run: string): void;
  /** For a new conversation. */
  clear(): void;
}

/** A conversation longer than this is rebuilt from its newest runs only. */
const MOST = 20;

/**
 * A conversation in the client's `storage`. Each run is an item of its own, so that two tabs that
 * share a storage never write over what the other one noted. A storage that is blocked or full is as
 * good as an empty one.
 */
export function conversation(
  { storage = () => sessionStorage }: Pick<CrewClient, "storage">,
  name = "crew.runs",
): RunMemory {
  const prefix = `${name}/`;

  function tryStorage<T>(action: (kept: Storage) => T): T | undefined {
    try {
      return action(storage());
    } catch {
      // Then a reload begins an empty page.
      return undefined;
    }
  }
  const list = () =>
    tryStorage((kept) => {
      const since = (run: string) => parseInt(kept.getItem(prefix + run)!);
      const runs = Object.keys(kept).flatMap((key) => (key.startsWith(prefix) ? [key.slice(prefix.length)] : []));
      return runs.sort((a, b) => since(a) - since(b));
    }) ?? [];
  const forget = (run: string) => tryStorage((kept) => kept.removeItem(prefix + run));

  return {
    list: () => list().slice(-MOST),
    add(run, after) {
      tryStorage((kept) => kept.setItem(prefix + run, Date.now() + (after === undefined ? "" : ` ${after}`)));
      list().slice(0, -MOST).forEach(forget);
    },
    after: (run) => tryStorage((kept) => kept.getItem(prefix + run)?.split(" ")[1]),
    forget,
    clear: () => list().forEach(forget),
  };
}
