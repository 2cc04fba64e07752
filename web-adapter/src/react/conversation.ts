import type { AppendMessage, ChatModelRunResult, ExportedMessageRepository, ThreadMessage } from "@assistant-ui/react";
import { newId, type CrewClient } from "../client.ts";
import { busy, hasCode, type CrewError } from "../errors.ts";
import { loadThread } from "../past.ts";
import type { RunState } from "../protocol.ts";
import { snapshots } from "../snapshots.ts";
import { emptyRun, type RunView } from "../view.ts";
import type { CrewRuntimeOptions } from "./options.ts";
import { notice, toCrewError, watch, type Report } from "./report.ts";
import { toResult } from "../result.ts";
import { retry } from "./retry.ts";
import { steer } from "./steer.ts";
import {
  before,
  BUSY,
  failedView,
  isOver,
  lastMessage,
  pathTo,
  replyMessage,
  repositoryOf,
  wordOf,
  wordsOf,
  unshift,
  userMessage,
  type Said,
  type Turn,
  type UserMessage,
} from "./turns.ts";

type Policy = NonNullable<CrewRuntimeOptions["whileLive"]>;

/** A message that waits in the composer's queue, as assistant-ui has it. */
export interface QueueItem {
  readonly id: string;
  readonly prompt: string;
  readonly parts: readonly { readonly type: "text"; readonly text: string }[];
}

/** The same object until something changes. */
export interface ConversationState {
  readonly repository: ExportedMessageRepository;
  readonly running: boolean;
  /** Runs of before are read, and none is there yet. */
  readonly loading: boolean;
  readonly queue: readonly QueueItem[];
}

/** What a conversation tells those around it. */
export interface Around {
  /** The first message of one that is new. */
  begun(): void;
  changed(): void;
  /** A run was started, or has ended. */
  moved(): void;
  report: Report;
}

/** One thread: its messages, the runs behind them, and what is to become of a message. */
export function createConversation(
  client: CrewClient,
  thread: string,
  options: () => CrewRuntimeOptions,
  first: readonly ThreadMessage[],
  { begun, changed, moved, report }: Around,
  isNew: boolean,
) {
  let turns: readonly Turn[] = [];
  /** The message at the end of the branch that is shown; the newest one's, unless another was switched to. */
  let head: string | undefined;
  /** After a Stop nothing that waits is sent before the user sends something. */
  let paused = false;
  let loaded = isNew;
  let trouble: CrewError | undefined;
  let state: ConversationState | undefined;
  let opened = new AbortController();
  opened.abort();
  /** By turn; undefined: it could not be started. */
  const starts = new Map<string, Promise<string | undefined>>();
  /** To be cancelled as soon as they have a run. */
  const stopping = new Set<string>();

  const show = (view: RunView): ChatModelRunResult => options().toResult?.(view) ?? toResult(view, options());
  const at = (id: string): Turn => turns.find((turn) => turn.id === id)!;
  const isWaiting = (turn: Turn): boolean => !isOver(turn) && !turn.run && !starts.has(turn.id);
  const isActive = (turn: Turn): boolean => !isOver(turn) && !isWaiting(turn);
  const messages = new WeakMap<Turn | Said, ThreadMessage>();

  function set(next: readonly Turn[]): void {
    turns = next;
    publish();
  }

  function publish(): void {
    state = undefined;
    changed();
  }

  const update = (id: string, change: Partial<Turn>): void =>
    set(turns.map((turn) => (turn.id === id ? { ...turn, ...change } : turn)));

  const note = (error: CrewError, id: string, brief: UserMessage): ThreadMessage =>
    replyMessage({ id, brief, view: failedView(emptyRun, error) }, show);

  function cached<T extends Turn | Said>(of: T, make: (of: T) => ThreadMessage): ThreadMessage {
    const message = messages.get(of) ?? make(of);
    messages.set(of, message);
    return message;
  }

  function getState(): ConversationState {
    return (state ??= {
      repository: repositoryOf(
        turns.filter(({ queued }) => !queued),
        trouble ? [...first, note(trouble, "trouble", NOBODY)] : first,
        (turn) => cached(turn, (turn) => replyMessage(turn, show)),
        (said) => cached(said, ({ message, error }) => note(error!, `${message.id}!`, message)),
        head,
      ),
      running: turns.some((turn) => !isOver(turn) && !turn.queued),
      loading: !loaded && turns.length === 0 && !trouble,
      queue: turns
        .filter(({ queued }) => queued)
        .map(({ id, brief: { content } }) => {
          const text = wordsOf(content);
          return { id, prompt: text, parts: [{ type: "text", text }] };
        }),
    });
  }

  // ---- runs

  async function follow(id: string, run: string): Promise<void> {
    const { signal } = opened;
    if (signal.aborted) return;
    const { view } = at(id);
    try {
      for await (const next of snapshots(watch(client, report, run, view.id, signal), 16, view)) {
        update(id, { view: next });
        notice(client, report, next);
      }
    } catch (error) {
      if (signal.aborted) return;
      fail(id, error);
    }
    if (isOver(at(id))) {
      notice(client, report, at(id).view);
      moved();
      proceed();
    }
  }

  function fail(id: string, error: unknown): void {
    const told = toCrewError(error);
    update(id, { view: failedView(at(id).view, told) });
    report("onError", told);
  }

  async function load(): Promise<void> {
    const { signal } = opened;
    const { toText = wordOf } = options();
    await retry(
      async () => {
        for await (const past of loadThread(client, thread, { signal })) {
          const { run, after, inputs } = past;
          if (turns.some((turn) => turn.run === run)) continue;
          const view = "view" in past ? past.view : failedView({ ...emptyRun, inputs }, past.error);
          const brief = userMessage(`${run}-brief`, { content: [{ type: "text", text: toText(inputs) }] });
          const said = ("said" in past ? past.said : []).map(([id, text]) => ({
            message: userMessage(id, { content: [{ type: "text", text }] }),
          }));
          const turn = { id: run, run, after: after ?? "", brief, said, view };
          trouble = undefined;
          set(unshift(turns, turn));
          if ("view" in past) notice(client, report, view, true);
          if (!isOver(turn)) void follow(run, run);
        }
        loaded = true;
        trouble = undefined;
        publish();
      },
      (error) => {
        // An app may mint ids of its own: such a thread begins with its first message.
        loaded = error.code === "unknown_thread" && "threadId" in options();
        if (!loaded) {
          trouble = error;
          report("onError", error);
        }
        publish();
      },
      signal,
    );
  }

  // ---- messages

  function add(brief: UserMessage, after: string, queued: boolean): Turn {
    const turn: Turn = { id: newId(), after, brief, said: [], view: emptyRun, queued };
    head = undefined;
    set([...turns, turn]);
    return turn;
  }

  function start({ id }: Turn, first?: Promise<unknown>): void {
    starts.set(id, begin(id, first));
    publish();
  }

  async function begin(id: string, interrupted?: Promise<unknown>): Promise<string | undefined> {
    try {
      begun();
      const { toInputs = lastMessage, crew, review } = options();
      const inputs = toInputs(pathTo(getState().repository, at(id).brief.id), thread);
      update(id, { view: { ...emptyRun, inputs } });
      await interrupted;
      if (stopping.has(id)) {
        update(id, { view: { ...at(id).view, state: "cancelled", output: null } });
        return undefined;
      }
      let previous = before(turns, at(id));
      while (previous && !previous.run) previous = before(turns, previous);
      const parallel = interrupted && true;
      const run = await client.start(inputs, {
        crew: typeof crew === "function" ? crew(thread) : crew,
        review: review?.(thread),
        thread,
        after: previous?.run ?? "",
        parallel,
      });
      update(id, { run });
      moved();
      if (stopping.has(id)) void cancel(run);
      void follow(id, run);
      return run;
    } catch (error) {
      fail(id, error);
      proceed();
      return undefined;
    }
  }

  /** Starts what has waited for the run that has ended. */
  function proceed(): void {
    const next = turns.find(isWaiting);
    if (!next || paused || turns.some(isActive)) return;
    if (next.queued) {
      const rest = turns.filter((turn) => turn !== next);
      const shown = rest.filter(({ queued }) => !queued);
      const after = shown.at(-1)?.id ?? "";
      set([...shown, { ...next, after, queued: false }, ...rest.filter(({ queued }) => queued)]);
    }
    start(next);
  }

  async function cancel(run: string | undefined, reason = "stopped"): Promise<void> {
    if (!run) return;
    await client.cancel(run, reason).catch((error: CrewError) => {
      // It has ended by itself.
      if (!hasCode(error, "illegal_state", "unknown_run")) report("onError", error);
    });
  }

  const runOf = async ({ id, run }: Turn): Promise<string | undefined> => run ?? starts.get(id);

  function say(id: string, message: UserMessage, error?: CrewError): void {
    head = undefined;
    update(id, {
      said: [...at(id).said.filter((said) => said.message !== message), { message, ...(error && { error }) }],
    });
    if (error) report("onError", error);
  }

  async function steerRun(turn: Turn, message: UserMessage): Promise<void> {
    say(turn.id, message);
    try {
      const run = await runOf(turn);
      if (run && (await steer(client, run, at(turn.id).view, wordsOf(message.content)))) return;
      // It has ended meanwhile: a message like any other.
      update(turn.id, { said: at(turn.id).said.filter((said) => said.message !== message) });
      const next = add(message, turn.id, false);
      if (!turns.some(isActive)) start(next);
    } catch (error) {
      say(turn.id, message, toCrewError(error));
    }
  }

  /** Of `brief` behind that turn; `redone`: an edit or a reload, which takes a live reply's place instead of following it. */
  function put(brief: UserMessage, after: string, how: Policy, redone = false, queued = false): void {
    const live = turns.filter(isActive);
    const newest = live.at(-1);
    paused = false;
    if (!newest) start(add(brief, after, false));
    else if (how === "queue") add(brief, redone ? after : turns.at(-1)!.id, queued);
    else if (how === "reject") say(newest.id, brief, busy(BUSY));
    else if (how === "steer" && !redone) void steerRun(newest, brief);
    else {
      const stopped = Promise.all(live.map(async (turn) => cancel(await runOf(turn), "interrupted")));
      start(add(brief, after, false), stopped);
    }
  }

  const policy = (): Policy => options().whileLive ?? "steer";

  /** Id of the turn that a message is the end of, or that the one around it follows. */
  function turnOf(message: string | null): string {
    const around = ({ brief, said }: Turn) =>
      brief.id === message || said.some(({ message: { id } }) => id === message);
    return message === null ? "" : (turns.find(({ id }) => id === message)?.id ?? turns.find(around)?.after ?? "");
  }

  function watchPending(): void {
    for (const turn of turns) {
      if (!turn.run) continue;
      const kept = client.pending.find(
        ({ command, unconfirmed }) => unconfirmed && "run" in command && command.run === turn.run,
      );
      if (kept?.command.cmd !== turn.unconfirmed) update(turn.id, { unconfirmed: kept?.command.cmd });
    }
  }

  return {
    getState,
    /** Whether it has to be kept in memory. */
    isLive: (): boolean => turns.some((turn) => !isOver(turn)),
    /** Of its newest run; undefined where there is none. */
    runState: (): RunState | undefined => turns.at(-1)?.view.state,
    title: (): string => wordsOf(turns[0]?.brief.content ?? []),

    /** Goes on, or begins, to follow and to load; until the function that it gives is called. */
    open(): () => void {
      opened = new AbortController();
      const unsubscribe = client.subscribe(watchPending);
      watchPending();
      for (const { id, run } of turns.filter((turn) => !isOver(turn))) if (run) void follow(id, run);
      if (!loaded) void load();
      return () => {
        unsubscribe();
        opened.abort();
      };
    },

    send(message: AppendMessage, how = policy(), queued = false): void {
      put(userMessage(newId(), message), turnOf(message.parentId), how, false, queued);
    },

    edit(message: AppendMessage): void {
      put(userMessage(newId(), message), turnOf(message.parentId), policy(), true);
    },

    /** Another reply to the same message. */
    reload(parentId: string | null): void {
      const turn = turns.find(({ brief, said }) =>
        [brief, ...said.map(({ message }) => message)].some(({ id }) => id === parentId),
      );
      if (turn) put(turn.brief, turn.after, policy(), true);
    },

    /** Every live run, and whatever is to become one. It holds when it is acked, which shows in the view. */
    stop(): void {
      paused = true;
      for (const turn of turns) {
        if (isOver(turn) || turn.queued) continue;
        if (isWaiting(turn)) update(turn.id, { view: { ...turn.view, state: "cancelled", output: null } });
        else if (turn.run) void cancel(turn.run);
        else {
          stopping.add(turn.id);
          update(turn.id, { unconfirmed: "cancel" });
        }
      }
    },

    /** The question that this tool call is. */
    async answer(toolCallId: string, result: unknown): Promise<void> {
      const run = turns.find((turn) => turn.run && toolCallId.startsWith(`${turn.run}:`))?.run;
      if (!run) return;
      const text = typeof result === "string" ? result : JSON.stringify(result);
      await client
        .answer(run, toolCallId.slice(run.length + 1), text)
        .catch((error: CrewError) => report("onError", error));
    },

    setHead(message: string | undefined): void {
      head = message;
      publish();
    },

    queue: {
      remove: (id: string): void => set(turns.filter((turn) => turn.id !== id)),
      edit: (id: string, message: AppendMessage): void => update(id, { brief: userMessage(newId(), message) }),
      /** Out of the queue, to the live run. */
      steer(id: string): void {
        const { brief, after } = at(id);
        set(turns.filter((turn) => turn.id !== id));
        put(brief, after, "steer");
      },
    },
  };
}

export type Conversation = ReturnType<typeof createConversation>;

const NOBODY = userMessage("", { createdAt: new Date(0) });
