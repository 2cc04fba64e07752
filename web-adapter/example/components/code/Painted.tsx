import ReactMarkdown from "react-markdown";
import rehypeHighlight from "rehype-highlight";

interface PaintedProps {
  readonly code: string;
  /** As the writer named it; one that nobody knows stays plain. */
  readonly language: string;
}

/** Code in colours. Loaded when there is code to paint: the languages are 50 KB. */
export default function Painted({ code, language }: PaintedProps) {
  const longest = Math.max(2, ...(code.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return (
    <ReactMarkdown components={BARE} rehypePlugins={[[rehypeHighlight, { detect: false }]]}>
      {`${fence}${language}\n${code}\n${fence}`}
    </ReactMarkdown>
  );
}

/** It stands in a `pre` already. */
const BARE = { pre: ({ children }: { children?: React.ReactNode }) => <>{children}</> };
