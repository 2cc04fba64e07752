import { codeOf } from "./blocks";

/** What a text says that is JSON of an object or a list, in a fence or not; undefined for any other text. */
export function structureOf(text: string): object | undefined {
  const code = (codeOf(text.trim()) ?? text).trim();
  if (!/^[[{]/.test(code)) return undefined;
  try {
    return JSON.parse(code) as object;
  } catch {
    return undefined;
  }
}

export const inLines = (structure: unknown): string => JSON.stringify(structure, null, 2);

/** As Markdown, which would take the marks in a structure for its own. No line of JSON can end the fence. */
export function asProse(text: string): string {
  const structure = structureOf(text);
  return structure === undefined ? text : `\`\`\`json\n${inLines(structure)}\n\`\`\``;
}

/** The same while it is being written: what begins as a structure does is code, and no list of links. */
export const asWritten = (text: string): string =>
  /^\s*(?:\{\s*["}]|\[\s*[[{"\]])/.test(text) ? `\`\`\`json\n${text.trimStart()}` : text;

/** Whether a text is that very structure: order of keys and layout say nothing. */
export function saysNoMore(text: string, json: unknown): boolean {
  const structure = structureOf(text);
  return structure !== undefined && inOrder(structure) === inOrder(json);
}

/** Whether two texts have the same words, however they are laid out. */
export const saysSame = (a: string, b: string): boolean => squeeze(a) === squeeze(b);
const squeeze = (text: string): string => text.replace(/\s+/g, " ").trim();

const inOrder = (structure: unknown): string =>
  JSON.stringify(structure, (_, value: unknown) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
