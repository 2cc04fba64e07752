/** The runs of a conversation, oldest first. */
export interface RunMemory {
  list(): readonly string[];
  save(runs: readonly string[]): void;
}

/** A conversation longer than this is rebuilt from its newest runs only. */
const MOST = 20;

/**
 * Ids of runs in the tab's sessionStorage (they survive a reload, and a new tab begins anew), or in
 * `storage`. One that is blocked, full or holds something else is as good as empty.
 */
export function rememberRuns(key: string, storage: () => Storage = () => sessionStorage): RunMemory {
  return {
    list() {
      try {
        const runs: unknown = JSON.parse(storage().getItem(key) ?? "[]");
        return Array.isArray(runs) ? runs.filter((run) => typeof run === "string").slice(-MOST) : [];
      } catch {
        return [];
      }
    },
    save(runs) {
      try {
        storage().setItem(key, JSON.stringify(runs.slice(-MOST)));
      } catch {
        // Then a reload begins an empty page.
      }
    },
  };
}
