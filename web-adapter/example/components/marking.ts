import { enter } from "./references";

/** Of a Markdown tree (mdast), as far as it matters here. */
interface Node {
  type: string;
  children?: Node[];
  readonly depth?: number;
  readonly identifier?: string;
  readonly value?: string;
  data?: { hName?: string; hProperties?: Record<string, string | number> };
}

export interface Marking {
  /** As in `Part`. */
  readonly under: string;
  readonly marks: string;
  /** Of the ids in the text. */
  readonly prefix: string;
}

/** The page's own headings are the first two levels. */
const FIRST = 3;
/** Their direction is that of their first letter; code has its own, and a rule none. */
const DIRECTED = new Set(["paragraph", "heading", "list", "blockquote", "table"]);

/**
 * A remark plugin: headings go below the page's own without a gap, whatever levels the writer chose (`data-level`
 * says which, so that a later one changes no earlier one); footnotes' marks have the number that they have in the
 * whole text.
 */
export function marking({ under, marks, prefix }: Marking) {
  const numbers = new Map(marks.split("\n").map((line) => [line.split(" ")[0]!, line.split(" ").slice(1)]));
  return (tree: Node): void => {
    const marked = new Set<string>();
    const stack = under === "" ? [] : under.split(",").map(Number);
    for (const child of tree.children ?? [])
      if (DIRECTED.has(child.type)) child.data = { ...child.data, hProperties: { dir: "auto" } };
    const visit = (node: Node) => {
      if (node.type === "heading") {
        const at = Math.min(FIRST + enter(stack, node.depth!), 6);
        node.data = {
          hName: node.children!.length > 0 ? `h${at}` : "div",
          hProperties: { ...node.data?.hProperties, dataLevel: node.depth! },
        };
      } else if (node.type === "footnoteReference") {
        const [number = "", first] = numbers.get(node.identifier!.toLowerCase()) ?? [];
        const id = first && !marked.has(number) ? { id: `${prefix}mark-${number}` } : {};
        marked.add(number);
        node.type = "footnoteMark";
        node.data = { hName: "sup", hProperties: id };
        const href = `#${prefix}note-${number}`;
        const words = [{ type: "text", value: number }];
        const data = { hName: "a", hProperties: { href, ariaLabel: `Footnote ${number}` } };
        node.children = [{ type: "footnoteLink", data, children: words }];
      }
      node.children?.forEach(visit);
      // Their words stand below the whole text.
      const at = node.children?.findIndex(({ type }) => type === "footnoteDefinition") ?? -1;
      if (at >= 0) node.children!.splice(at, node.children!.length, ...node.children!.slice(at).filter(isText));
    };
    visit(tree);
  };
}

const isText = ({ type }: Node): boolean => type !== "footnoteDefinition";
