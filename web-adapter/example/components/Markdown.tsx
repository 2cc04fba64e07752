import { memo } from "react";
import ReactMarkdown from "react-markdown";
import { blocksOf } from "./blocks";

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

/** Parsing takes up to 5 ms per 1,000 characters, and the block being written is parsed with every frame. */
const LONGEST = 10_000;

const FENCED = /^(`{3,}|~{3,})[^\n`]*\n([\s\S]*?)(?:\n?\1[`~]*\s*)?$/;

const Block = memo(({ text }: { text: string }) => {
  const code = FENCED.exec(text);
  if (code) {
    return (
      <pre>
        <code>{code[2]}</code>
      </pre>
    );
  }
  if (text.length > LONGEST) return <p className="plain">{text}</p>;
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
