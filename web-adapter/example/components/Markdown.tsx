import { memo } from "react";
import ReactMarkdown from "react-markdown";

/**
 * Markdown as React elements: no HTML of a model's ever reaches the page (react-markdown drops it,
 * and links other than http, https and mailto).
 *
 * While text streams in, only its last block changes, so each block is parsed on its own and once.
 */
export function Markdown({ text }: { text: string }) {
  return (
    <div className="prose">
      {blocksOf(text).map((block, n) => (
        <Block key={n} text={block} />
      ))}
    </div>
  );
}

const Block = memo(({ text }: { text: string }) => <ReactMarkdown components={COMPONENTS}>{text}</ReactMarkdown>);
Block.displayName = "Block";

const COMPONENTS = {
  a: ({ href, children }: { href?: string | undefined; children?: React.ReactNode }) => (
    <a href={href} target="_blank" rel="noreferrer">
      {children}
    </a>
  ),
  // Loading one would tell a stranger's server that the page was read.
  img: ({ alt }: { alt?: string | undefined }) => <em>{alt}</em>,
};

/** Parts that Markdown treats alike whether parsed together or apart: cut before a line at the margin, after a blank one. */
function blocksOf(text: string): string[] {
  const blocks: string[] = [];
  let open: string[] = [];
  let fence: string | undefined;
  for (const line of text.split("\n")) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    const apart = fence === undefined && open.at(-1) === "" && /^[^\s*+\-\d]/.test(line);
    if (apart) {
      blocks.push(open.join("\n"));
      open = [];
    }
    if (mark && fence === undefined) fence = mark;
    else if (mark && fence !== undefined && mark.startsWith(fence)) fence = undefined;
    open.push(line);
  }
  return [...blocks, open.join("\n")];
}
