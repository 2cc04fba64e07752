import { useAuiState, type ThreadMessage } from "@assistant-ui/react";
import type { CrewInfo } from "crew-web-adapter";
import { useCrews } from "crew-web-adapter/react";
import { useSyncExternalStore } from "react";
import {
  choose,
  chooseCrew,
  getChoices,
  getSeen,
  noChoices,
  setInput,
  subscribe,
  toggleReview,
  type Choices,
} from "./choices";
import { crew } from "./crew";

/** Which crew the next brief of a conversation goes to, what it gets besides, and what it asks about. */
export interface Start {
  /** undefined: the sidecar has not said what crews there are. */
  readonly crew: CrewInfo | undefined;
  /** Names of the tasks that the crew asks about; all of them are the crew's. */
  readonly review: ReadonlySet<string>;
  /** What the crew wants besides the brief; "": not given yet. */
  readonly inputs: Readonly<Record<string, string>>;
}

/**
 * The start of a run in `thread`: with the crew that was chosen there, else the one that has been at work there,
 * else the one chosen last anywhere, else the sidecar's own choice (docs/PROTOCOL.md, P50).
 */
export function startOf(
  crews: readonly CrewInfo[],
  choices: Choices,
  thread: string | undefined,
  atWork?: string,
): Start {
  const named = (name: string | undefined) => crews.find((one) => one.name === name);
  const last = named(Object.values(choices.crews).at(-1));
  const info =
    named(thread === undefined ? undefined : choices.crews[thread]) ??
    named(atWork) ??
    (last?.error === undefined ? last : undefined) ??
    named("default") ??
    crews[0];
  const tasks = new Set(info?.tasks.map(({ name }) => name));
  const given = (info && choices.inputs[info.name]) ?? {};
  return {
    crew: info,
    review: new Set(info && (choices.review[info.name] ?? []).filter((name) => tasks.has(name))),
    inputs: Object.fromEntries(besides(info?.inputs ?? []).map((name) => [name, given[name] ?? ""])),
  };
}

/** Names for the same, of which one is enough; and what nobody has to give. As sidecar/inputs.py has them. */
const BRIEF = ["user_input", "message", "campaign_context"];
const LANGUAGE = ["output_language", "language", "locale"];
const FILLED_IN = ["current_year", "current_date", "history"];

/** Of all that a crew's templates want, what a brief does not give them. */
export function besides(wanted: readonly string[]): readonly string[] {
  const language = LANGUAGE.filter((name) => wanted.includes(name)).slice(0, 1);
  const others = wanted.filter((name) => ![...BRIEF, ...LANGUAGE, ...FILLED_IN].includes(name));
  // The one text that a crew wants under another name is the brief.
  const isBrief = others.length === 1 && !wanted.some((name) => BRIEF.includes(name));
  return [...(isBrief ? [] : others), ...language];
}

/** What a run of `thread` is started with, for `useCrewRuntime`. */
export const startOptions = (crews: readonly CrewInfo[]) => {
  const of = (thread: string) => startOf(crews, getChoices(), thread, getSeen()[thread]);
  return {
    crew(thread: string): string | undefined {
      const { crew: info } = of(thread);
      // With one there is nothing to choose, and nothing to remember.
      if (crews.length < 2 || !info) return undefined;
      choose((choices) => chooseCrew(choices, thread, info.name));
      return info.name;
    },
    review: (thread: string): readonly string[] => [...of(thread).review],
    /** Without those that are blank, which the sidecar then names. */
    toInputs: (messages: readonly ThreadMessage[], thread: string): Readonly<Record<string, unknown>> => ({
      ...Object.fromEntries(Object.entries(of(thread).inputs).filter(([, text]) => text.trim())),
      message:
        messages
          .findLast(({ role }) => role === "user")
          ?.content.flatMap(textOf)
          .join("\n") ?? "",
    }),
  };
};

export interface Choosing extends Start {
  /** All of the sidecar's, those with an `error` included. */
  readonly crews: readonly CrewInfo[];
  readonly setCrew: (name: string) => void;
  readonly toggleReview: (task: string) => void;
  readonly setInput: (name: string, text: string) => void;
}

/** The same for the conversation that is shown, and how it is changed. */
export function useStart(): Choosing {
  const thread = useAuiState(({ threads }) => threads.mainThreadId);
  const { crews } = useCrews(crew);
  const choices = useSyncExternalStore(subscribe, getChoices, () => noChoices);
  const seen = useSyncExternalStore(subscribe, getSeen, () => nothing);
  const start = startOf(crews, choices, thread, seen[thread]);
  const name = start.crew?.name ?? "";
  return {
    ...start,
    crews,
    setCrew: (to) => choose((before) => chooseCrew(before, thread, to)),
    toggleReview: (task) => choose((before) => toggleReview(before, name, task)),
    setInput: (input, text) => choose((before) => setInput(before, name, input, text)),
  };
}

/** `create_content_plan` and `newTask` as words. */
export const inWords = (name: string): string =>
  name
    .replace(/[_-]+/g, " ")
    .replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .trim()
    .replace(/^./u, (first) => first.toUpperCase());

/** Who is going to work, as a sentence. */
export function whoWorks(facts: CrewInfo | undefined): string {
  const agents = [...new Set(facts?.tasks.map(({ agent }) => agent?.trim()).filter(Boolean))];
  if (agents.length === 0 || agents.length > MANY) return "It goes to work, and you see every step.";
  const names = new Intl.ListFormat("en").format(agents as string[]);
  return `${names} ${agents.length === 1 ? "takes" : "take"} it from there.`;
}

const MANY = 5;
const textOf = (part: ThreadMessage["content"][number]) => (part.type === "text" ? [part.text] : []);
const nothing: Readonly<Record<string, string>> = {};
