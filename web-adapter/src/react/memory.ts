import { newId, type CrewClient } from "../client.ts";

/** Which thread of the sidecar's a tab is in: its id only, for the sidecar has the rest. */
export interface Conversation {
  /** The one that is noted; undefined: a new one, which nothing was said in. */
  noted(): string | undefined;
  /** The same, or one that is minted and noted. */
  id(): string;
  /** What is said next begins a new one. */
  clear(): void;
}

/** A conversation in the client's `storage`, by the sidecar's address and a name, for several in one page. */
export function conversation(
  { url, storage = () => sessionStorage }: Pick<CrewClient, "storage" | "url">,
  name = "",
): Conversation {
  const key = `crew.thread/${url}/${name}`;
  /** Where the storage is blocked or full: then a reload begins an empty page. */
  let unstored: string | undefined;

  function note(thread: string | undefined): void {
    unstored = thread;
    try {
      if (thread) storage().setItem(key, thread);
      else storage().removeItem(key);
    } catch {
      return;
    }
    unstored = undefined;
  }

  function noted(): string | undefined {
    try {
      return (storage().getItem(key) ?? unstored) || undefined;
    } catch {
      return unstored;
    }
  }

  return {
    noted,
    id() {
      // 1 to 64 of `A-Za-z0-9._:-`.
      const thread = noted() ?? `t_${newId()}`;
      note(thread);
      return thread;
    },
    clear: () => note(undefined),
  };
}
