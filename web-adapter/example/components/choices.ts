/** What a reader chose for the runs to come, as it is kept in the browser from visit to visit. */
export interface Choices {
  /** Which crew a conversation goes to, by thread; the one chosen last comes last. */
  readonly crews: Readonly<Record<string, string>>;
  /** The tasks to be asked about, by crew. */
  readonly review: Readonly<Record<string, readonly string[]>>;
  /** What a crew wants besides the brief, by crew and name. */
  readonly inputs: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const KEY = "crew.start";

/** Conversations whose crew is kept; those chosen longest ago are forgotten. */
const KEPT = 200;

export const noChoices: Choices = { crews: {}, review: {}, inputs: {} };

export const chooseCrew = (choices: Choices, thread: string, crew: string): Choices => {
  const { [thread]: _, ...others } = choices.crews;
  return { ...choices, crews: Object.fromEntries([...Object.entries(others), [thread, crew]].slice(-KEPT)) };
};

export function toggleReview(choices: Choices, crew: string, task: string): Choices {
  const chosen = choices.review[crew] ?? [];
  const next = chosen.includes(task) ? chosen.filter((name) => name !== task) : [...chosen, task];
  return { ...choices, review: { ...choices.review, [crew]: next } };
}

export const setInput = (choices: Choices, crew: string, name: string, text: string): Choices => ({
  ...choices,
  inputs: { ...choices.inputs, [crew]: { ...choices.inputs[crew], [name]: text } },
});

/** What was kept; of anything else than that, nothing. */
export function read(text: string | null): Choices {
  try {
    const kept = JSON.parse(text ?? "null") as unknown;
    if (!isRecord(kept)) return noChoices;
    const of = <T>(value: unknown, is: (value: unknown) => value is T): Record<string, T> =>
      Object.fromEntries(
        Object.entries(isRecord(value) ? value : {}).filter((entry): entry is [string, T] => is(entry[1])),
      );
    const isTexts = (value: unknown): value is Record<string, string> =>
      isRecord(value) && Object.values(value).every(isText);
    return {
      crews: of(kept["crews"], isText),
      review: of(kept["review"], isNames),
      inputs: of(kept["inputs"], isTexts),
    };
  } catch {
    return noChoices;
  }
}

const isText = (value: unknown): value is string => typeof value === "string";
const isNames = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const listeners = new Set<() => void>();
let raw: string | null = null;
let known = noChoices;

/** The same object until something else is chosen, in another tab too. */
export function getChoices(): Choices {
  try {
    const text = localStorage.getItem(KEY);
    if (text !== null && text !== raw) known = read((raw = text));
  } catch {
    // Where storage is blocked it holds for the page.
  }
  return known;
}

export function choose(change: (choices: Choices) => Choices): void {
  known = change(getChoices());
  try {
    localStorage.setItem(KEY, (raw = JSON.stringify(known)));
  } catch {
    // As above.
  }
  for (const listener of listeners) listener();
}

let seen: Readonly<Record<string, string>> = {};

/** Which crew has been at work in a thread, by thread: of those where nobody has chosen one here. */
export const getSeen = () => seen;

/** `restored`: of before, newest first, so that what is known already is newer. */
export function seeCrew(thread: string | null, crew: string | null, restored: boolean): void {
  if (thread === null || crew === null || seen[thread] === crew || (restored && thread in seen)) return;
  seen = Object.fromEntries([...Object.entries(seen), [thread, crew]].slice(-KEPT));
  for (const listener of listeners) listener();
}

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", listener);
  };
}
