import { blocksOf, codeOf } from "./blocks";
import { settled } from "./settled";

/** A block with what it needs to know of the others to be parsed without them. */
export interface Part {
  readonly text: string;
  /** Definitions that it uses, to be parsed with it. */
  readonly uses: string;
  /** Levels of the headings that it stands under, outermost first, by commas. */
  readonly under: string;
  /** The footnotes that it refers to, as `id number` by line breaks; with ` first` where none before it does. */
  readonly marks: string;
}

export interface Footnote {
  readonly id: string;
  /** From 1, in the order in which they are first referred to. */
  readonly number: number;
  readonly text: string;
}

export interface Parts {
  readonly parts: readonly Part[];
  readonly footnotes: readonly Footnote[];
}

const FOOTNOTE = /^ {0,3}\[\^([^\]\s]{1,100})\]:[ \t]*/;
const LINK = /^ {0,3}\[([^\]^][^\]]{0,199})\]:[ \t]*\S/;
const MARK = /\[\^([^\]\s]{1,100})\]/g;
const LABEL = /\[([^[\]]{1,200})\]/g;

/** A text in parts: what it defines for all of it is taken out, and given to whichever part uses it. */
export function partsOf(text: string, streaming: boolean): Parts {
  const blocks = blocksOf(text);
  if (streaming && blocks.length > 0) blocks.push(settled(blocks.pop()!));
  const links = new Map<string, string>();
  const notes = new Map<string, string>();
  const bodies = blocks.map((block) => (block.startsWith("[") ? withoutDefinitions(block, links, notes) : block));
  const numbers = new Map<string, number>();
  const stack: number[] = [];
  const parts: Part[] = [];
  for (const body of bodies) {
    if (body.trim() === "") continue;
    const under = stack.join();
    if (codeOf(body) !== undefined) {
      parts.push({ text: body, uses: "", under, marks: "" });
      continue;
    }
    for (const level of levelsIn(body)) enter(stack, level);
    // What a mark stands for mostly comes last.
    const marks = marksIn(body).filter((id) => streaming || notes.has(id));
    const before = new Set(numbers.keys());
    for (const id of marks) if (!numbers.has(id)) numbers.set(id, numbers.size + 1);
    parts.push({
      text: body,
      uses: [...(links.size === 0 ? [] : used(body, links)), ...marks.map((id) => `[^${id}]: .`)].join("\n\n"),
      under,
      marks: marks.map((id) => `${id} ${numbers.get(id)}${before.has(id) ? "" : " first"}`).join("\n"),
    });
  }
  const told = [...numbers].flatMap(([id, number]) => {
    const text = notes.get(id);
    return text === undefined ? [] : [{ id, number, text }];
  });
  return { parts, footnotes: told };
}

/** Takes the definitions at a block's beginning into these maps, and gives what stands behind them. */
function withoutDefinitions(block: string, links: Map<string, string>, notes: Map<string, string>): string {
  const lines = block.split("\n");
  let at = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    const note = FOOTNOTE.exec(line);
    const link = note ? null : LINK.exec(line);
    if (!note && !link) break;
    at++;
    if (link) {
      const name = nameOf(link[1]!);
      if (!links.has(name)) links.set(name, line.trim());
      continue;
    }
    const body = [line.slice(note![0].length)];
    while (at < lines.length && !FOOTNOTE.test(lines[at]!) && !LINK.test(lines[at]!))
      body.push(lines[at++]!.replace(/^ {1,4}/, ""));
    if (!notes.has(nameOf(note![1]!))) notes.set(nameOf(note![1]!), body.join("\n").trim());
  }
  return lines.slice(at).join("\n");
}

const nameOf = (label: string): string => label.replace(/\s+/g, " ").trim().toLowerCase();

const marksIn = (body: string): string[] => [...new Set([...body.matchAll(MARK)].map(([, id]) => nameOf(id!)))];

const used = (body: string, links: ReadonlyMap<string, string>): string[] =>
  [...new Set([...body.matchAll(LABEL)].map(([, label]) => nameOf(label!)))].flatMap((name) => links.get(name) ?? []);

/** Levels of the headings in a block, in their order. */
function levelsIn(block: string): number[] {
  const lines = block.split("\n");
  return lines.flatMap((line, n) => {
    const marks = /^ {0,3}(#{1,6})(?:\s|$)/.exec(line)?.[1];
    if (marks) return [marks.length];
    const under = (lines[n - 1] ?? "").trim() !== "" ? /^ {0,3}(=+|-+)\s*$/.exec(line)?.[1] : undefined;
    return under ? [under.startsWith("=") ? 1 : 2] : [];
  });
}

/** Goes to a heading of that level: those open above it are the ones of lower levels. Gives how many there are. */
export function enter(stack: number[], level: number): number {
  while (stack.length > 0 && stack.at(-1)! >= level) stack.pop();
  return stack.push(level) - 1;
}
