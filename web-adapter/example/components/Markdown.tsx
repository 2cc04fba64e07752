import { memo } from "react";
import ReactMarkdown from "react-markdown";
import { blocksOf, codeOf, tooDeep } from "./blocks";

/**
 * Markdown as React elements: no HTML of a model's ever reaches the page (react-markdown drops it,
 * and links other than http, https and mailto).
 *
 * While text streams in, only its last block changes, so each block is parsed on its own and once.
 */
export function Markdown({ text }: { text: string }) {
  const blocks = blocksOf(text);
  return (
    <div className="prose" data-long={blocks.length > MANY || undefined}>
      {blocks.map((block, n) => (
        <Block key={n} text={block} />
      ))}
    </div>
  );
}

/** Of more blocks the browser lays out those in sight only. */
const MANY = 12;

/**
 * Parsing takes up to 5 ms per 1,000 characters of prose, and the block being written is parsed with every
 * frame. What is made to be slow takes 0.25 s for so many, and the square of that for more.
 */
const LONGEST = 3_000;

const Block = memo(({ text }: { text: string }) => {
  const code = codeOf(text);
  if (code !== undefined) {
    return (
      <pre>
        <code>{code}</code>
      </pre>
    );
  }
  if (text.length > LONGEST || tooDeep(text)) return <p className="plain">{text}</p>;
  return <ReactMarkdown components={COMPONENTS}>{text}</ReactMarkdown>;
});
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
