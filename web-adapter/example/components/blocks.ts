/** Characters after which a list goes on as another one: one of a thousand items would else be one block. */
const LONG = 1_500;

const ITEM = /^(?:[*+-]|\d{1,9}[.)])\s/;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;

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
