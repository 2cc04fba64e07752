import { ExportedMessageRepository, type ExternalStoreThreadData } from "@assistant-ui/react";
import { newId, type CrewClient } from "../client.ts";
import { hasCode, type CrewError } from "../errors.ts";
import type { RunState, ThreadInfo } from "../protocol.ts";
import { createConversation, type Conversation, type ConversationState } from "./conversation.ts";
import type { CrewRuntimeOptions } from "./options.ts";
import { createReport } from "./report.ts";
import { retry } from "./retry.ts";

/** Conversations in memory, besides those that are live. */
const KEPT = 20;

/** Threads in the list, where the app does not say; those with the newest runs. */
const LISTED = 200;

/** The sidecar gives no more at a time. */
const PAGE = 1_000;

/** Ms between two looks at what other pages do, while this one is in sight, and how many threads each looks at. */
const PACE = 5_000;
const LOOKED_AT = 30;

/** The same object until something changes. */
export interface ThreadsState {
  /** undefined: not known before the page has hydrated. */
  readonly threadId: string | undefined;
  readonly threads: readonly ExternalStoreThreadData<"regular">[];
  /** The sidecar has not told which there are. */
  readonly listing: boolean;
  readonly conversation: Conversation;
  readonly shown: ConversationState;
}

interface Kept {
  readonly conversation: Conversation;
  state?: RunState | undefined;
  close?: () => void;
}

/** The threads of a sidecar, of which one is shown and any number is live. */
export function createThreads(client: CrewClient, options: () => CrewRuntimeOptions) {
  const { conversation = "", initialMessages = [] } = options();
  // Ids that a server and the page that hydrates agree on.
  const named = initialMessages.map((message, n) => ({ id: `initial-${n}`, ...message }));
  const first = ExportedMessageRepository.fromArray(named).messages.map(({ message }) => message);
  const key = `crew.thread/${client.url}/${conversation}`;
  const report = createReport(options);
  const kept = new Map<string, Kept>();
  let listeners: readonly (() => void)[] = [];
  /** What a new thread will be called. */
  let draft = mint();
  let asked = options().threadId;
  let shown = isControlled() ? (asked ?? draft) : (remember() ?? draft);
  let known: readonly ThreadInfo[] = [];
  let listing = true;
  let list: ThreadsState["threads"] | undefined;
  let state: ThreadsState | undefined;
  let signal: AbortSignal | undefined;
  /** How often the list was asked for: only the newest answer counts. */
  let asks = 0;

  function isControlled(): boolean {
    return "threadId" in options();
  }

  /** Which thread this tab shows ("": a new one); a storage that is blocked or full is as good as an empty one. */
  function remember(thread?: string): string | undefined {
    try {
      const storage = client.storage?.() ?? sessionStorage;
      if (thread === undefined) return storage.getItem(key) || undefined;
      storage.setItem(key, thread);
    } catch {
      // Then a reload begins a new one.
    }
    return undefined;
  }

  function changed(relist: boolean): void {
    state = undefined;
    if (relist) list = undefined;
    for (const listener of listeners) listener();
  }

  function get(thread: string): Conversation {
    const one: Kept = kept.get(thread) ?? { conversation: create(thread) };
    if (signal) one.close ??= one.conversation.open();
    // The newest one last.
    kept.delete(thread);
    kept.set(thread, one);
    for (const [id, { conversation }] of [...kept].slice(0, -KEPT))
      if (id !== shown && !conversation.isLive()) drop(id);
    return one.conversation;
  }

  function drop(thread: string): void {
    kept.get(thread)?.close?.();
    kept.delete(thread);
  }

  function create(thread: string): Conversation {
    const around = {
      begun() {
        if (thread !== draft) return;
        draft = mint();
        if (!isControlled()) remember(thread);
        options().onThreadIdChange?.(thread);
      },
      changed() {
        const one = kept.get(thread);
        const now = one?.conversation.runState();
        if (one && one.state !== now) {
          one.state = now;
          changed(true);
        } else if (thread === shown) changed(false);
      },
      moved: () => void refresh(),
      report,
    };
    return createConversation(client, thread, options, first, around, thread === draft);
  }

  async function refresh(): Promise<void> {
    if (!signal) return;
    const ask = ++asks;
    const read = async (): Promise<void> => {
      const { listed = LISTED } = options();
      const found: ThreadInfo[] = [];
      let before: string | undefined;
      do {
        const limit = Math.min(PAGE, listed - found.length);
        const { threads, next } = await client.threads({ limit, before, signal });
        found.push(...threads);
        before = next ?? undefined;
      } while (before !== undefined && found.length < listed);
      if (ask === asks) know(found);
    };
    await retry(read, () => {}, signal);
  }

  function know(threads: readonly ThreadInfo[]): void {
    if (!listing && JSON.stringify(threads) === JSON.stringify(known)) return;
    known = threads;
    listing = false;
    changed(true);
  }

  /** What was begun, renamed, deleted or came to its end elsewhere, as far as it is among the newest. */
  async function look(): Promise<void> {
    const ask = asks;
    const { threads, next } = await client.threads({ limit: LOOKED_AT, signal });
    // What this page has done meanwhile is newer than that.
    if (ask !== asks) return;
    const oldest = threads.at(-1)?.updated ?? 0;
    const isBehind = ({ thread, updated }: ThreadInfo) =>
      updated <= oldest && threads.every((other) => other.thread !== thread);
    know(next === null ? threads : [...threads, ...known.filter(isBehind)]);
  }

  /** Looks as long as `opened`; a sidecar that is away is looked for again. */
  function keepLooking(opened: AbortSignal): void {
    const onSight = (): void => {
      if (!document.hidden) look().catch(() => {});
    };
    const timer = setInterval(onSight, PACE);
    document.addEventListener("visibilitychange", onSight, { signal: opened });
    opened.addEventListener("abort", () => clearInterval(timer));
  }

  /** What the sidecar knows, with what this page knows better; the thread that is shown is always among them. */
  function toList(): ThreadsState["threads"] {
    const begun = [...kept].filter(([id, { state }]) => state ?? id === shown).reverse();
    const newer = begun.filter(([id]) => !known.some(({ thread }) => thread === id));
    return [
      ...newer.map(([thread, { conversation }]) => ({
        thread,
        title: conversation.title() || undefined,
        state: undefined,
        updated: undefined,
      })),
      ...known,
    ].map(({ thread, title, state, updated }) => ({
      status: "regular",
      id: thread,
      remoteId: thread,
      title,
      custom: { state: kept.get(thread)?.state ?? state, updated },
    }));
  }

  function show(thread: string): void {
    if (shown === thread) return;
    shown = thread;
    get(thread);
    changed(true);
  }

  /** undefined: to a new one. */
  function switchTo(thread: string | undefined): void {
    if (!isControlled()) {
      remember(thread ?? "");
      show(thread ?? draft);
    } else if (thread === asked) show(thread ?? draft);
    options().onThreadIdChange?.(thread);
  }

  async function insist(request: Promise<unknown>): Promise<void> {
    try {
      await request;
    } catch (error) {
      report("onError", error as CrewError);
      throw error;
    } finally {
      await refresh();
    }
  }

  const blank = create(draft);
  const server: ThreadsState = {
    threadId: undefined,
    threads: [],
    listing,
    conversation: blank,
    shown: { ...blank.getState(), loading: true },
  };

  function subscribe(listener: () => void): () => void {
    listeners = [...listeners, listener];
    return () => {
      listeners = listeners.filter((other) => other !== listener);
    };
  }

  return {
    subscribe,

    getState(): ThreadsState {
      if (!state && !kept.size) return server;
      const conversation = get(shown);
      return (state ??= {
        threadId: shown,
        threads: (list ??= toList()),
        listing,
        conversation,
        shown: conversation.getState(),
      });
    },

    /** What a server shows, which does not know what the tab remembers, and a page with it until it is `open`. */
    getServerState: (): ThreadsState => server,

    /** Follows and loads until the function that it gives is called; what is live goes on in the sidecar. */
    open(): () => void {
      const opened = new AbortController();
      signal = opened.signal;
      for (const one of kept.values()) one.close ??= one.conversation.open();
      get(shown);
      // assistant-ui 0.12.3 does not look at the thread and the list of its first render.
      changed(true);
      void refresh();
      keepLooking(opened.signal);
      return () => {
        signal = undefined;
        opened.abort();
        for (const one of kept.values()) {
          one.close?.();
          delete one.close;
        }
      };
    },

    /** The app's wish, where it has one. */
    ask(thread: string | undefined): void {
      if (!isControlled() || asked === thread) return;
      asked = thread;
      show(thread ?? draft);
    },

    switchTo,
    refresh,

    rename: (thread: string, title: string): Promise<void> => insist(client.rename(thread, title)),

    /** What is live in it is stopped first. */
    async remove(thread: string): Promise<void> {
      const conversation = kept.get(thread)?.conversation;
      if (conversation?.getState().running) {
        conversation.stop();
        await new Promise<void>((resolve) => {
          const unsubscribe = subscribe(() => {
            if (conversation.getState().running) return;
            unsubscribe();
            resolve();
          });
        });
      }
      // The sidecar knows none that nothing was sent to; one that it no longer knows is as good as deleted.
      if (thread !== draft) {
        await insist(
          client.remove({ thread }).catch((error) => {
            if (!hasCode(error, "unknown_thread")) throw error;
          }),
        );
      }
      if (thread === shown) {
        // First another one is shown: of this one a look would make, and load, a new conversation.
        show(draft);
        switchTo(undefined);
      }
      drop(thread);
      changed(true);
    },
  };
}

/** 1 to 64 of `A-Za-z0-9._:-`. */
const mint = (): string => `t_${newId()}`;
