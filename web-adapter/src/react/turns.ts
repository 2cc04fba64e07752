import type { AppendMessage, ChatModelRunResult, ExportedMessageRepository, ThreadMessage } from "@assistant-ui/react";
import type { CrewError } from "../errors.ts";
import type { Command, Failure } from "../protocol.ts";
import { isFinal, textOf, type RunView } from "../view.ts";

export type UserMessage = Extract<ThreadMessage, { role: "user" }>;
type Reply = Extract<ThreadMessage, { role: "assistant" }>;
type Show = (view: RunView) => ChatModelRunResult;

/** What was said to a run while it was live; with `error` it did not get there. */
export interface Said {
  readonly message: UserMessage;
  readonly error?: CrewError;
}

/** A message of the user's, and the run that it leads to. One run is one reply. */
export interface Turn {
  /** The reply's message's; it stays when the run gets an id. */
  readonly id: string;
  /** None: it was not started yet, or could not be. */
  readonly run?: string;
  /** Id, or run, of the turn that this one follows; "": it begins the conversation. */
  readonly after: string;
  /** Regenerated replies share it. */
  readonly brief: UserMessage;
  /** Above the reply, whenever it was said: after a reload it stands there too. */
  readonly said: readonly Said[];
  readonly view: RunView;
  /** A command to the run of which nobody knows whether it arrived. */
  readonly unconfirmed?: Command["cmd"] | undefined;
  /** In the composer's queue, and not in the thread yet. */
  readonly queued?: boolean;
}

export const isOver = ({ view }: Turn): boolean => isFinal(view.state);

export const wordsOf = (content: UserMessage["content"]): string =>
  content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");

/** What a brief becomes where the app does not say. */
export const lastMessage = (messages: readonly ThreadMessage[]) => ({
  message: wordsOf(messages.findLast((message) => message.role === "user")?.content ?? []),
});

/** And back. */
export const wordOf = ({ message }: Readonly<Record<string, unknown>>): string =>
  typeof message === "string" ? message : "";

export const BUSY =
  "Not sent: the crew is still at the message before. Send it again when the crew is done, or stop the crew first.";

type Sent = Partial<Pick<AppendMessage, "content" | "attachments" | "createdAt" | "metadata">>;

export const userMessage = (
  id: string,
  { content = [], attachments = [], createdAt, metadata }: Sent,
): UserMessage => ({
  role: "user",
  id,
  content: content as UserMessage["content"],
  attachments,
  createdAt: createdAt ?? new Date(),
  metadata: { custom: metadata?.custom ?? {} },
});

/** What a run that could not be started, found, loaded or told on is shown as; it keeps what was being written. */
export const failedView = (view: RunView, { code, message }: CrewError): RunView => ({
  ...view,
  state: "failed",
  output: textOf(view) || null,
  error: { code: code as Failure["code"], message },
});

export function replyMessage(
  { id, run, view, unconfirmed, brief: { createdAt } }: Omit<Turn, "after" | "said">,
  show: Show,
): Reply {
  const { content = [], status, metadata } = show(view);
  const waits = !isFinal(view.state) && unconfirmed;
  return {
    role: "assistant",
    id,
    createdAt,
    content: waits
      ? [...content, { type: "text", text: `Not confirmed by the sidecar yet, sent again until it is: ${waits}.` }]
      : content,
    status: status ?? { type: "running" },
    metadata: Object.assign(
      { unstable_state: null, unstable_annotations: [], unstable_data: [], steps: [] },
      metadata,
      { custom: { ...metadata?.custom, ...(run && { run }), ...(waits && { unconfirmed: waits }) } },
    ) as Reply["metadata"],
  };
}

/** The one that `turn` follows. What it followed may be unknown (yet): then it stands where it was told. */
export function before(turns: readonly Turn[], turn: Turn): Turn | undefined {
  if (!turn.after) return undefined;
  const found = turns.find(({ id, run }) => id === turn.after || run === turn.after);
  const previous = turns[turns.indexOf(turn) - 1];
  return found ?? (previous?.after === turn.after ? before(turns, previous) : previous);
}

/** The turns as a tree of messages, parents first; `first`: what the conversation begins with. */
export function repositoryOf(
  turns: readonly Turn[],
  first: readonly ThreadMessage[],
  reply: (turn: Turn) => ThreadMessage,
  refusal: (said: Said) => ThreadMessage,
  head: string | undefined,
): ExportedMessageRepository {
  const messages: ExportedMessageRepository["messages"] = [];
  const known = new Set<string>();
  let parentId: string | null = null;
  const add = (message: ThreadMessage): void => {
    if (!known.has(message.id)) messages.push({ message, parentId });
    known.add((parentId = message.id));
  };
  const tell = (turn: Turn): void => {
    if (known.has(turn.id)) return;
    const previous = before(turns, turn);
    if (previous) tell(previous);
    parentId = (previous ?? first.at(-1))?.id ?? null;
    add(turn.brief);
    for (const said of turn.said) {
      add(said.message);
      if (said.error) add(refusal(said));
    }
    add(reply(turn));
  };
  first.forEach(add);
  turns.forEach(tell);
  return {
    messages,
    headId: head !== undefined && known.has(head) ? head : ((turns.at(-1) ?? first.at(-1))?.id ?? null),
  };
}

/** The messages from the first to that one. */
export function pathTo({ messages }: ExportedMessageRepository, id: string | null): ThreadMessage[] {
  const item = messages.find(({ message }) => message.id === id);
  return item ? [...pathTo({ messages }, item.parentId), item.message] : [];
}

/**
 * With one that is older than all of them. assistant-ui (0.15) orders branches by when it first saw
 * them: what branches off at the same place gets other ids, so that it comes behind. The same words:
 * a reply that was regenerated.
 */
export function unshift(turns: readonly Turn[], older: Turn): readonly Turn[] {
  const same = ({ brief }: Turn) => wordsOf(brief.content) === wordsOf(older.brief.content);
  return [
    older,
    ...turns.map((turn) =>
      turn.after === older.after
        ? { ...turn, brief: same(turn) ? older.brief : { ...turn.brief, id: `${turn.brief.id}+` } }
        : turn,
    ),
  ];
}
