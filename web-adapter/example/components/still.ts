/** Unix ms since when nothing that is shown is live, because the connection is lost; null: it holds. */
let since: number | null = null;
const listeners = new Set<() => void>();

export const stillSince = (): number | null => since;

/** Also `data-still` on the page's root: no CSS that tells of something live may move under it. */
export function setStill(still: boolean): void {
  if (still === (since !== null)) return;
  since = still ? Date.now() : null;
  document.documentElement.toggleAttribute("data-still", still);
  for (const listener of listeners) listener();
}

export function onStill(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
