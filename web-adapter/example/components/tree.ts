import type { Note, Place, RunView, WorkView } from "crew-web-adapter";

/** What stands inside a piece of work, or inside the run. */
export interface Inside {
  readonly work: readonly WorkView[];
  readonly notes: readonly Note[];
}

export type Tree = (tid: string | null) => Inside;

/** None is always the same one, so that a task nothing happens to is not shown anew. */
const NOTHING: Inside = { work: [], notes: [] };

/** The view's work and notes by what they are inside; what is inside something unknown is the run's. */
export function treeOf({ work, notes }: Pick<RunView, "work" | "notes">): Tree {
  const known = new Set<string | null>(work.map(({ tid }) => tid));
  const around = (place: Place): string | null => (known.has(place.in) ? place.in : null);
  const works = grouped(work, around);
  const said = grouped(notes, around);
  return (tid) =>
    works.has(tid) || said.has(tid)
      ? { work: works.get(tid) ?? NOTHING.work, notes: said.get(tid) ?? NOTHING.notes }
      : NOTHING;
}

/**
 * Which time it is that a method or crew of that name is at work among these, from 1; nothing for one that is there
 * once. A loop's methods and parallel crews are told apart by it.
 */
export function roundsOf(work: readonly WorkView[]): ReadonlyMap<string, number> {
  const rounds = new Map<string, number>();
  for (const same of grouped(work, ({ kind, name }) => `${kind} ${name}`).values())
    if (same.length > 1) same.forEach(({ tid }, n) => rounds.set(tid, n + 1));
  return rounds;
}

function grouped<T, Key>(items: readonly T[], by: (item: T) => Key): ReadonlyMap<Key, readonly T[]> {
  const groups = new Map<Key, T[]>();
  for (const item of items) {
    const key = by(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
