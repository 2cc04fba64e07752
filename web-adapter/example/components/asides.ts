import type { AsideView } from "crew-web-adapter";

export interface AsideWords {
  readonly title: string;
  /** One line at most is shown of it, unless it says why something was not good enough. */
  readonly text: string;
  readonly wrong: boolean;
  /** All that was told, as name and text. */
  readonly rest: readonly (readonly [string, string])[];
}

const TITLES: Record<AsideView["word"], string> = {
  guardrail: "Guardrail",
  memory: "Memory",
  knowledge: "Knowledge",
  mcp: "MCP",
  reasoning: "Reasoning",
  skill: "Skill",
  a2a: "Other agent",
  event: "",
};

/** What of the data says most, in this order. */
const TELLING = ["error", "query", "tool", "skill", "text", "plan", "value", "prompt", "content", "server", "endpoint"];
/** What pairs an end with its beginning, and what the title says already. */
const KNOWN = ["call", "operation", "kind"];

/** CrewAI's own word of a question, which stands on the page itself. */
const ASKING = ["flow_input_requested", "flow_input_received", "human_feedback_requested", "human_feedback_received"];

export const isOfQuestion = ({ word, data }: AsideView): boolean =>
  word === "event" && ASKING.includes(data["kind"] as string);

/** An aside in words. */
export function wordsOf({ word, state, data }: AsideView): AsideWords {
  const wrong = word !== "event" && (state === "failed" || data["success"] === false || !!data["error"]);
  const rest = Object.entries(data).flatMap(([name, value]) =>
    KNOWN.includes(name) || value === null ? [] : [[name, textOf(value)] as const],
  );
  const gist = TELLING.map((name) => data[name]).find((value) => typeof value === "string" && value !== "");
  const text = typeof gist === "string" && word !== "event" ? gist : "";
  return { title: titleOf(word, state, data, wrong), text, wrong, rest };
}

function titleOf(word: AsideView["word"], state: AsideView["state"], data: AsideView["data"], wrong: boolean): string {
  if (word === "event") return inWords(data["kind"]);
  if (word === "guardrail")
    return state === "running" ? "Guardrail checks" : `Guardrail ${wrong ? "sent it back" : "passed"}`;
  return [TITLES[word], inWords(data["operation"]), wrong && "failed"].filter(Boolean).join(" ");
}

const inWords = (name: unknown): string => (typeof name === "string" ? name.replaceAll("_", " ") : "");
const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
