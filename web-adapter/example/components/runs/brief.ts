/** What a person asks for, under the names that pages and crews have for it (sidecar/inputs.py). */
const BRIEF = ["user_input", "message", "campaign_context"];
/** What was said before is no brief. */
const HISTORY = "history";

/** What was asked for, in words: the brief, else the first text, else all that was given. */
export function briefOf({ inputs }: { readonly inputs: Readonly<Record<string, unknown>> }): string {
  const given = Object.entries(inputs).filter(([name, value]) => name !== HISTORY && says(value));
  const asked = BRIEF.map((name) => inputs[name]);
  const text = [...asked, ...given.map(([, value]) => value)].find((value) => typeof value === "string" && says(value));
  if (typeof text === "string") return text.trim();
  const rest = given.map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(", ");
  return rest || "Without a brief";
}

const says = (value: unknown): boolean =>
  typeof value === "string" ? value.trim() !== "" : value !== null && value !== undefined;
