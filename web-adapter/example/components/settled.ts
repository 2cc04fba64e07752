/** An end that says nothing yet: marks and numbers may become a rule, a list, a heading, a table or plain words. */
const VAGUE = /^[-+*_=#|:.()\d\s[\]`~<>!\\]+$/;
/** Behind it the box of a task may still be closed, or turn out to be words. */
const BOX = /^[\s>]*(?:[-*+]|\d{1,9}[.)])\s+\[[ xX]?\]?\s*$/;
const FENCE = /^[\s>]*(?:(?:[-*+]|\d{1,9}[.)])\s+)*(`{3,}|~{3,})([^\n]*)$/;
const DEFINITION = /^ {0,3}\[[^\]^][^\]]*\]:/;
const ROW = /^[\s>]*\|/;
const DELIMITERS = /^[\s>]*\|?[\s:|-]*-[\s:|-]*$/;
/** Begins something whose marks close nothing before it. */
const FRESH = /^[\s>]*(?:[-*+]\s|\d{1,9}[.)]\s|#{1,6}\s|\||>)/;

/**
 * What can be shown of a text whose end is still to come, so that nothing on the page turns into something else:
 * a last line that may become anything is held back, so is a table's head until its second line is there; code,
 * emphasis and links that are open are closed. Takes the text's last block, or all of it.
 */
export function settled(text: string): string {
  const lines = text.split("\n");
  const last = lines.pop()!;
  const fence = fenceOf(lines);
  if (fence !== undefined) {
    const closing = last.trim();
    return closing !== "" && closing === fence[0]!.repeat(closing.length) ? lines.join("\n") : text;
  }
  const held = VAGUE.test(last) || BOX.test(last) || isFence(last) || DEFINITION.test(last);
  if (!held && last !== "") lines.push(last);
  if (lines.length > 0 && ROW.test(lines.at(-1)!) && !isTable(lines)) lines.pop();
  return held || last === "" ? lines.join("\n") : closed(lines);
}

/** The fence that these lines leave open. */
function fenceOf(lines: readonly string[]): string | undefined {
  let open: string | undefined;
  for (const line of lines) {
    const [, mark, info] = FENCE.exec(line) ?? [];
    if (mark === undefined) continue;
    if (open === undefined) open = isFence(line) ? mark : undefined;
    else if (mark.startsWith(open) && info!.trim() === "") open = undefined;
  }
  return open;
}

/** Backticks behind a fence of backticks make it code within a line. */
function isFence(line: string): boolean {
  const [, mark, info] = FENCE.exec(line) ?? [];
  return mark !== undefined && !(mark.startsWith("`") && info!.includes("`"));
}

/** Whether the rows at the end have the line below their head that makes them a table. */
function isTable(lines: readonly string[]): boolean {
  for (let n = lines.length - 1; n > 0 && lines[n]!.trim() !== ""; n--) if (DELIMITERS.test(lines[n]!)) return true;
  return false;
}

interface Open {
  readonly at: number;
  readonly mark: string;
}

/** With what is open in the last paragraph, item, heading or cell closed. */
function closed(lines: readonly string[]): string {
  let first = lines.length - 1;
  while (first > 0 && !FRESH.test(lines[first]!) && lines[first - 1]!.trim() !== "") first--;
  const above = lines.slice(0, first).map((line) => `${line}\n`);
  const whole = lines.slice(first).join("\n");
  const cell = ROW.test(whole) ? whole.lastIndexOf("|") + 1 : 0;
  return above.join("") + whole.slice(0, cell) + closedInline(whole.slice(cell));
}

const SPACE = /^\s$/;
const WORD = /^[\p{L}\p{N}]$/u;

function closedInline(source: string): string {
  let end = source.length;
  // A run of marks may grow.
  while (end > 0 && "*_~`\\".includes(source[end - 1]!)) end--;
  let text = source.slice(0, end);
  const open: Open[] = [];
  const brackets: Open[] = [];
  const cut = (at: number) => {
    text = text.slice(0, at).trimEnd();
    while (open.length > 0 && open.at(-1)!.at >= at) open.pop();
  };
  for (let at = 0; at < text.length; at++) {
    const mark = text[at]!;
    if (mark === "\\") at++;
    else if (mark === "`") {
      const run = runAt(text, at);
      const close = runAfter(text, run, at + run.length);
      if (close < 0) {
        open.push({ at, mark: run });
        break;
      }
      at = close + run.length - 1;
    } else if (mark === "*" || mark === "_" || mark === "~") {
      const run = runAt(text, at);
      emphasise(open, run, at, text);
      at += run.length - 1;
    } else if (mark === "[")
      brackets.push({ at, mark: text[at - 1] === "!" ? "![" : text[at + 1] === "^" ? "[^" : "[" });
    else if (mark === "]" && brackets.length > 0) {
      const { at: from, mark: kind } = brackets.pop()!;
      const next = text[at + 1];
      const ends = next === "(" ? text.indexOf(")", at) : next === "[" ? text.indexOf("]", at + 1) : at;
      if (ends < 0 || next === undefined) {
        // Where it leads to is not known yet: its words stand alone, a picture or a footnote's mark waits.
        if (kind !== "[") cut(from - Number(kind === "!["));
        else text = text.slice(0, from) + text.slice(from + 1, at);
        break;
      }
      at = ends;
    } else if (mark === "<" && /^[a-z/!?]/i.test(text.slice(at + 1)) && text.indexOf(">", at) < 0) {
      cut(at);
      break;
    }
  }
  const bracket = brackets[0];
  if (bracket && bracket.at < text.length) {
    if (bracket.mark === "[") text = text.slice(0, bracket.at) + text.slice(bracket.at + 1);
    else cut(bracket.at - Number(bracket.mark === "!["));
  }
  // Around nothing there is nothing to close.
  while (open.length > 0 && text.trimEnd().endsWith(open.at(-1)!.mark) && isLast(open.at(-1)!, text))
    text = text.slice(0, text.trimEnd().length - open.pop()!.mark.length).trimEnd();
  return (
    text.trimEnd() +
    open
      .map(({ mark }) => mark)
      .reverse()
      .join("")
  );
}

/** Whether nothing is behind the mark; a bracket that went may have moved it by one. */
const isLast = ({ at, mark }: Open, text: string): boolean => text.trimEnd().length - mark.length - at <= 0;

function runAt(text: string, at: number): string {
  let end = at;
  while (text[end] === text[at]) end++;
  return text.slice(at, end);
}

/** Where the same run comes again, no longer and no shorter; -1 for nowhere. */
function runAfter(text: string, run: string, from: number): number {
  for (let at = text.indexOf(run, from); at >= 0;) {
    const found = runAt(text, at);
    if (found.length === run.length) return at;
    at = text.indexOf(run, at + found.length);
  }
  return -1;
}

/** Takes a run of marks for what it closes, and else for what it opens. */
function emphasise(open: Open[], run: string, at: number, text: string): void {
  const before = text[at - 1] ?? " ";
  const after = text[at + run.length] ?? " ";
  const within = WORD.test(before) && WORD.test(after);
  if (run.startsWith("~") && run.length !== 2) return;
  let left = run.length;
  if (!SPACE.test(before) && !(run.startsWith("_") && within)) {
    while (left > 0 && open.at(-1)?.mark[0] === run[0] && open.at(-1)!.mark.length <= left)
      left -= open.pop()!.mark.length;
  }
  if (left > 3 || SPACE.test(after) || WORD.test(before)) return;
  if (left >= 2) open.push({ at: at + run.length - left, mark: run.slice(0, 2) });
  if (left % 2 === 1) open.push({ at: at + run.length - 1, mark: run[0]! });
}
