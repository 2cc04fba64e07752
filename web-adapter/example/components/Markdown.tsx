import { memo, useId, useMemo } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import { codeOf, languageOf, rowsOf, tooDeep } from "./blocks";
import { gfm } from "./gfm";
import { Code } from "./code/Code";
import { Scrollable } from "./code/Scrollable";
import { marking } from "./marking";
import { partsOf, type Part } from "./references";

interface MarkdownProps {
  readonly text: string;
  /** More of it is to come: what its end will be is not known yet. */
  readonly streaming?: boolean;
}

/**
 * Markdown (GitHub's) as React elements: no HTML of a model's ever reaches the page (react-markdown drops it,
 * and links other than http, https and mailto), and nothing is fetched.
 *
 * While text streams in, only its last block changes, so each block is parsed on its own and once.
 */
export function Markdown({ text, streaming = false }: MarkdownProps) {
  const prefix = useId();
  const { parts, footnotes } = useMemo(() => partsOf(text, streaming), [text, streaming]);
  return (
    <div className="prose" data-long={parts.length > MANY || undefined}>
      {parts.map((part, n) => (
        <Block key={n} {...part} prefix={prefix} live={streaming && n === parts.length - 1} />
      ))}
      {footnotes.length > 0 && (
        <ol className="footnotes" aria-label="Footnotes">
          {footnotes.map(({ id, number, text: words }) => (
            <li key={id} id={`${prefix}note-${number}`} dir="auto">
              <Block text={words} uses="" under="" marks="" prefix={prefix} live={false} />
              <a href={`#${prefix}mark-${number}`} aria-label={`Back to where footnote ${number} is referred to`}>
                ↩
              </a>
            </li>
          ))}
        </ol>
      )}
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

interface BlockProps extends Part {
  /** Of the ids in this text: there are others on the page. */
  readonly prefix: string;
  readonly live: boolean;
}

const Block = memo(({ text, live, ...rest }: BlockProps) => {
  const code = codeOf(text);
  if (code !== undefined) return <Code code={code} language={languageOf(text)} live={live} />;
  const rows = text.length > LONGEST ? rowsOf(text) : undefined;
  if (rows) return <LongTable rows={rows} {...rest} />;
  if (text.length + rest.uses.length > LONGEST || tooDeep(text)) {
    return (
      <p className="plain" dir="auto">
        {text}
      </p>
    );
  }
  return <Parsed text={text} components={COMPONENTS} {...rest} />;
});
Block.displayName = "Block";

interface ParsedProps extends Omit<BlockProps, "live"> {
  readonly components: Components;
}

const Parsed = memo(({ text, uses, under, marks, prefix, components }: ParsedProps) => (
  <ReactMarkdown
    components={components}
    // `~5 to ~10` strikes nothing out.
    remarkPlugins={[gfm, [marking, { under, marks, prefix }]]}
  >
    {uses === "" ? text : `${text}\n\n${uses}`}
  </ReactMarkdown>
));
Parsed.displayName = "Parsed";

/** A table in pieces, of which each has the head for itself and the first one shows it. */
function LongTable({ rows, ...rest }: Omit<BlockProps, "text" | "live"> & { readonly rows: readonly string[] }) {
  return (
    <Scrollable as="div" className="table" name="Table">
      <table dir="auto">
        {rows.map((text, n) => (
          <Parsed key={n} text={text} components={n === 0 ? FIRST_ROWS : MORE_ROWS} {...rest} />
        ))}
      </table>
    </Scrollable>
  );
}

const COMPONENTS: Components = {
  a: ({ href, id, children, "aria-label": label }) => (
    <a href={href} id={id} aria-label={label} {...(!href?.startsWith("#") && { target: "_blank", rel: "noreferrer" })}>
      {children}
    </a>
  ),
  // Loading one would tell a stranger's server that the page was read.
  img: ({ src, alt }) =>
    typeof src === "string" && src !== "" ? (
      <a className="picture" href={src} target="_blank" rel="noreferrer" title={src}>
        {alt || "Picture"} <span className="picture-from">{hostOf(src)}</span>
      </a>
    ) : (
      <em>{alt}</em>
    ),
  pre: ({ node, children }) => {
    const [code] = node?.children ?? [];
    if (code?.type !== "element") return <pre>{children}</pre>;
    const [words] = code.children;
    const [name = ""] = [code.properties["className"]].flat().map((each) => String(each ?? ""));
    return (
      <Code
        code={words?.type === "text" ? words.value.replace(/\n$/, "") : ""}
        language={name.replace(/^language-/, "")}
      />
    );
  },
  table: ({ dir, children }) => (
    <Scrollable as="div" className="table" name="Table">
      <table dir={dir}>{children}</table>
    </Scrollable>
  ),
  input: ({ checked }) => (
    <span className="box" role="img" aria-label={checked ? "Done:" : "To do:"} data-checked={checked || undefined} />
  ),
};

const FIRST_ROWS: Components = { ...COMPONENTS, table: ({ children }) => <>{children}</> };
const MORE_ROWS: Components = { ...FIRST_ROWS, thead: () => null };

/** Whose server it is on; "" for an address within this page's own. */
function hostOf(address: string): string {
  try {
    return new URL(address).host;
  } catch {
    return "";
  }
}
