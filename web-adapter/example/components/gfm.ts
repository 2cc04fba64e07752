import { gfmFromMarkdown } from "mdast-util-gfm";
import { gfm as syntax } from "micromark-extension-gfm";

/** What a parser of remark's reads besides plain Markdown. */
interface Reading {
  micromarkExtensions?: unknown[];
  fromMarkdownExtensions?: unknown[];
}

/**
 * GitHub's tables, task lists, footnotes, struck out words and bare addresses, as a plugin of remark's. `remark-gfm`
 * also writes them, which nobody does here and is 4 KB more.
 */
export function gfm(this: { data(): object }): void {
  const reading = this.data() as Reading;
  (reading.micromarkExtensions ??= []).push(syntax({ singleTilde: false }));
  (reading.fromMarkdownExtensions ??= []).push(gfmFromMarkdown());
}
