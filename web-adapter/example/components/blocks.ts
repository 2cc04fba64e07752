/** Characters after which a list goes on as another one: one of a thousand items would else be one block. */
const LONG = 1_500;

const ITEM = /^(?:[*+-]|\d{1,9}[.)])\s/;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const OPENING = /^(`{3,}|~{3,})[^`]*$/;
const ONLY_MARKS = /^(?:`+|~+)$/;
/** Twenty in one line; each mark is read in one way only, so that this takes no longer than the line. */
const NESTED = /^[ \t]*(?:[*+-][ \t]+|\d{1,9}[.)][ \t]+|>[ \t]*){20}/m;

/**
 * Parts that Markdown treats alike whether parsed together or apart. They are cut before
 *
 * - a line at the margin, after a blank one
 * - an item at the margin of a list that has become long
 * - a fence at the margin, and behind its end
 */
export function blocksOf(text: string): string[] {
  const blocks: string[] = [];
  let open: string[] = [];
  let length = 0;
  let fence: string | undefined;
  const cut = () => {
    if (open.length > 0) blocks.push(open.join("\n"));
    open = [];
    length = 0;
  };
  for (const line of text.split("\n")) {
    const mark = FENCE.exec(line)?.[1];
    if (fence !== undefined) {
      open.push(line);
      if (mark?.startsWith(fence)) {
        // One that began at the margin is a block of its own.
        if (FENCE.exec(open[0]!)?.index === 0 && open[0]!.startsWith(fence)) cut();
        fence = undefined;
      }
      continue;
    }
    const apart = open.at(-1) === "" && /^[^\s*+\-\d]/.test(line);
    if (apart || (ITEM.test(line) && length > LONG) || (mark && line.startsWith(mark))) cut();
    fence = mark;
    open.push(line);
    length += line.length;
  }
  cut();
  return blocks;
}

/** The code in a block that is a fence, also before its end has come; undefined for any other block. */
export function codeOf(block: string): string | undefined {
  const first = block.indexOf("\n");
  const fence = first < 0 ? undefined : OPENING.exec(block.slice(0, first))?.[1];
  if (fence === undefined) return undefined;
  const body = block.slice(first + 1);
  // By its last line alone: one expression over all of it takes the square of its length in backticks.
  const whole = body.trimEnd();
  const last = whole.lastIndexOf("\n") + 1;
  const end = whole.slice(last).trimStart();
  return end.startsWith(fence) && ONLY_MARKS.test(end) ? body.slice(0, Math.max(0, last - 1)) : body;
}

/** The language that a fence names; "" for none. */
export const languageOf = (block: string): string => /^(?:`{3,}|~{3,})[ \t]*([^\s`{]{0,40})/.exec(block)?.[1] ?? "";

const DELIMITERS = /^ {0,3}\|?[ \t:|-]*-[ \t:|-]*$/;

/** A table in pieces that are short enough to be parsed, each below the table's head; undefined for what is none. */
export function rowsOf(block: string): string[] | undefined {
  const [head = "", delimiters = "", ...rows] = block.trimEnd().split("\n");
  if (!head.includes("|") || !DELIMITERS.test(delimiters) || head.length + delimiters.length > LONG) return undefined;
  const pieces: string[][] = [];
  let length = Infinity;
  for (const row of rows) {
    if (row.trim() === "" || row.length > LONG) return undefined;
    if (length > LONG) {
      pieces.push([head, delimiters]);
      length = head.length + delimiters.length;
    }
    pieces.at(-1)!.push(row);
    length += row.length;
  }
  return pieces.map((lines) => lines.join("\n"));
}

/** Whether lists and quotes stand in each other so deep that rendering them would overflow the stack. */
export function tooDeep(block: string): boolean {
  return NESTED.test(block);
}
