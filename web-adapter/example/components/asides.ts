import type { AsideView } from "crew-web-adapter";

export interface AsideWords {
  readonly title: string;
  /** One line at most is shown of it, unless it says why something was not good enough. */
  readonly text: string;
  readonly wrong: boolean;
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

/** An aside in a line. */
export function wordsOf({ word, state, data }: AsideView): AsideWords {
  const error = data["error"];
  const wrong = state === "failed" || data["success"] === false || (word !== "event" && typeof error === "string");
  const text = typeof error === "string" && error ? error : gist(data);
  if (word === "event") return { title: String(data["kind"]).replaceAll("_", " "), text: "", wrong: false };
  if (word === "guardrail") {
    if (state === "running") return { title: "Guardrail checks", text: "", wrong: false };
    return { title: wrong ? "Guardrail sent it back" : "Guardrail passed", text: wrong ? text : "", wrong };
  }
  return { title: wrong ? `${TITLES[word]} failed` : TITLES[word], text, wrong };
}

/** The first words among the data: a query, a name, a plan. */
const gist = (data: AsideView["data"]): string =>
  (Object.values(data).find((value) => typeof value === "string" && value !== "") as string | undefined) ?? "";
