// @vitest-environment jsdom
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { Markdown } from "../../example/components/Markdown.tsx";
import { settled } from "../../example/components/settled.ts";

function shown(text: string, streaming = false): HTMLElement {
  const place = document.createElement("div");
  place.innerHTML = renderToStaticMarkup(<Markdown text={text} streaming={streaming} />);
  return place;
}

const CORPUS: readonly [string, string][] = [
  [
    "prose, then a list that begins as an underline would",
    "**You asked for** a plan.\n- one\n- **two** with `code`\n- [three](https://example.com/a_b)\n\nThe end.\n",
  ],
  ["numbers that are no list, and one that is", "It costs\n42\n\n1. First\n2. Second\n   - deeper\n\n2024 was good.\n"],
  [
    "headings of both kinds",
    "# One\n\nText\n===\n\n## Two #\nMore\n---\n\n### Three\n\n#hashtag and #5\n\n---\n\n***\n\n* * *\n",
  ],
  [
    "a table with all kinds of cells",
    "Numbers:\n\n| Day | **Sold** |\n|:---|---:|\n| Mon | 12 |\n| Tue | `a\\|b` |\n| _Wed_ | |\n\nThat | is | no table.\n\n| Nor is this |\n\nx\n",
  ],
  ["a table right below words", "Look:\n| a | b |\n| - | - |\n| 1 | 2 |\nand | more |\n\n- x\n"],
  ["tasks", "- [x] done\n- [ ] to do\n- [link] no task\n- - nested\n"],
  [
    "code with all that looks like something else",
    "```md\n# no heading\n- no list\n---\n| a |\n| - |\n``\n```\n\nAfter ``a ` b`` and `c`.\n\n- item\n  ```js\n  - 1\n  ```\n- next\n\n~~~\n---\n~~~\n",
  ],
  [
    "emphasis at every place",
    "*a* _b_ **c** ***d*** ~~e~~ 2 * 3 * 4 snake_case_name *f **g** h* **i *j* k**\n**l**\n- **m**: n\n",
  ],
  ["quotes", "> said\n> - one\n>\n> # Loud\n\n> > twice\n- list\n"],
  [
    "footnotes and links that are told at the end",
    "A claim[^1] and [a source][src], again[^1] and ![a picture](https://x.example/y.png).\n\n- point[^two]\n\n[^1]: Why, with **weight**.\n    And more.\n[^two]: Because.\n\n[src]: https://example.com/x 'T'\n\nEnd.\n",
  ],
  ["negative numbers, pluses and rules", "-5 degrees\n\n+1 from me\n\n- 5 of them\n- 7\n\n+ plus\n\n___\n\n1) one\n"],
  ["another script", "# عنوان\n\n- أول\n- **ثان**\n\n| א | ב |\n|---|---|\n| 1 | 2 |\n"],
];

const STRUCTURE = "h3, h4, h5, h6, table, hr, ul, ol";

/** What there is of headings, tables, rules and lists in their order, and what each is within. */
function structure(place: HTMLElement): string[] {
  return [...place.querySelectorAll(STRUCTURE)].map((element) => {
    const around: string[] = [];
    for (let at = element; !at.classList.contains("prose"); at = at.parentElement!)
      around.unshift(at.matches(STRUCTURE) ? `${at.tagName}${at.className}` : at.tagName);
    return around.join(">");
  });
}

test.each(CORPUS)("while it streams nothing turns into something else: %s", (_, text) => {
  const whole = structure(shown(text));
  let most = 0;
  for (let end = 0; end <= text.length; end++) {
    const now = structure(shown(text.slice(0, end), true));
    // Footnotes stand below all else, whatever comes above them later.
    const above = now.filter((path) => path !== "OLfootnotes");
    expect({ end, above }).toEqual({ end, above: whole.slice(0, above.length) });
    expect(above.length).toBeGreaterThanOrEqual(most);
    most = above.length;
  }
  expect(whole).not.toEqual([]);
});

test("without being settled the first of these texts does turn into something else", () => {
  const [, text] = CORPUS[0]!;
  const whole = structure(shown(text));
  const turns = Array.from(text.slice(0, 40), (_, end) => structure(shown(text.slice(0, end)))[0]);
  expect(turns.filter((path) => path !== undefined && path !== whole[0])).not.toEqual([]);
});

/** What streams, and the words that stand there with it: never a mark that is about to vanish. */
test.each([
  ["**bold", "<strong>bold</strong>"],
  ["**bold*", "<strong>bold</strong>"],
  ["a **b _c", "a <strong>b <em>c</em></strong>"],
  ["`co", "<code>co</code>"],
  ["``a`b", "<code>a`b</code>"],
  ["~~gone", "<del>gone</del>"],
  ["see [the pa", "see the pa"],
  ["see [the page](https://exa", "see the page"],
  ["see ![a pict", "see"],
  ["that[^", "that"],
  ["so 2 * 3", "so 2 * 3"],
  ["so 2 * 3 is", "so 2 * 3 is"],
  ["snake_case", "snake_case"],
  ["foo **[", "foo"],
  ["a <b oncli", "a"],
  ["arr[0] is", "arr[0] is"],
  ["[offline model] ", "[offline model]"],
  ["**bold ", "<strong>bold</strong>"],
  ["\\*no", "*no"],
])("%j streams as %s", (text, html) => {
  expect(shown(text, true).querySelector("p")!.innerHTML).toBe(html);
});

test.each([
  ["Text\n-", "Text"],
  ["Text\n==", "Text"],
  ["Text\n\n| a | b |", "Text"],
  ["Text\n\n| a | b |\n|--", "Text\n"],
  ["```js", ""],
  ["```js\nlet a;\n``", "```js\nlet a;"],
  ["```js\n- 1", "```js\n- 1"],
  ["- [", ""],
  ["| a |\n|---|\n| x", "| a |\n|---|\n| x"],
])("of %j is shown %j", (text, kept) => {
  expect(settled(text)).toBe(kept);
});

test("headings stand below the page's own without a gap, and still differ", () => {
  const headings = (text: string) =>
    [...shown(text).querySelectorAll<HTMLElement>("h1, h2, h3, h4, h5, h6")].map(
      ({ tagName, dataset, textContent }) => `${tagName} ${dataset["level"]} ${textContent}`,
    );
  expect(headings("# A\n\n### B\n\nx\n\n## C\n\n#### D\n\n# E\n")).toEqual([
    "H3 1 A",
    "H4 3 B",
    "H4 2 C",
    "H5 4 D",
    "H3 1 E",
  ]);
  expect(headings("## A\n\n# B\n")).toEqual(["H3 2 A", "H3 1 B"]);
  expect(headings("#\n\n##### A\n###### B\n")).toEqual(
    ["H3 5 A", "H4 6 B"].map((h) => h.replace("H3", "H4").replace("H4 6", "H5 6")),
  );
});

test("tables, tasks, strikes and footnotes are shown as such", () => {
  const place = shown(
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n- [ ] open\n\n~~no~~, ~5 to ~10.\n\nWhy[^b]? And[^a], and[^b].\n\n[^a]: First\n[^b]: Second **word**\n",
  );
  expect([...place.querySelectorAll("th, td")].map(({ textContent }) => textContent)).toEqual(["a", "b", "1", "2"]);
  expect([...place.querySelectorAll(".box")].map((box) => box.getAttribute("aria-label"))).toEqual(["Done:", "To do:"]);
  expect([...place.querySelectorAll("del")].map(({ textContent }) => textContent)).toEqual(["no"]);
  const marks = [...place.querySelectorAll("sup a")];
  expect(marks.map(({ textContent }) => textContent)).toEqual(["1", "2", "1"]);
  const notes = [...place.querySelectorAll(".footnotes > li")];
  expect(notes.map(({ textContent }) => textContent)).toEqual(["Second word↩", "First↩"]);
  expect(marks.map((mark) => mark.getAttribute("href")!.slice(1))).toEqual([notes[0]!.id, notes[1]!.id, notes[0]!.id]);
  const back = notes.map((note) => note.querySelector("a[aria-label^=Back]")!.getAttribute("href")!.slice(1));
  expect([...place.querySelectorAll("sup[id]")].map(({ id }) => id)).toEqual(back);
});

test("a footnote has its number before it is told, and one that never is is as it was written", () => {
  expect(shown("So[^1] it", true).querySelector("sup")!.textContent).toBe("1");
  expect(shown("So[^1] it", true).querySelector(".footnotes")).toBeNull();
  expect(shown("So[^1] it").textContent).toBe("So[^1] it");
});

test("two texts on one page have no id in common", () => {
  const text = "A[^1].\n\n[^1]: B\n";
  const place = document.createElement("div");
  place.innerHTML = renderToStaticMarkup(
    <>
      <Markdown text={text} />
      <Markdown text={text} />
    </>,
  );
  const ids = [...place.querySelectorAll("[id]")].map(({ id }) => id);
  expect(ids).toHaveLength(4);
  expect(new Set(ids).size).toBe(4);
});

test("each block has its own direction, and code the one of code", () => {
  const place = shown("مرحبا\n\nHello\n\n- א\n\n> ב\n\n# ג\n\n| ד |\n|---|\n\n```\nx\n```\n");
  const blocks = [...place.querySelectorAll("p, ul, blockquote, h3, table")].filter(
    (block) => !block.closest("blockquote p"),
  );
  expect(blocks.map((block) => [block.tagName, block.getAttribute("dir")])).toEqual([
    ["P", "auto"],
    ["P", "auto"],
    ["UL", "auto"],
    ["BLOCKQUOTE", "auto"],
    ["H3", "auto"],
    ["TABLE", "auto"],
  ]);
  expect(place.querySelector(".code")!.getAttribute("dir")).toBe("ltr");
});

test("code says its language and can be copied, wherever it stands", () => {
  const place = shown("```python title=x\nprint(1)\n```\n\n- a\n  ```js\n  b()\n  ```\n\n```\nplain\n```\n");
  expect([...place.querySelectorAll(".code-language")].map(({ textContent }) => textContent)).toEqual([
    "python",
    "js",
    "",
  ]);
  expect([...place.querySelectorAll("pre code")].map(({ textContent }) => textContent)).toEqual([
    "print(1)",
    "b()",
    "plain",
  ]);
  expect([...place.querySelectorAll("button.copy")].map(({ textContent }) => textContent)).toEqual([
    "Copy python",
    "Copy js",
    "Copy code",
  ]);
});

test("a picture is a link to where it is, and is not fetched", () => {
  const place = shown("![A chart](https://evil.example/p.png?s=1) ![](x.png) ![bad](javascript:x)");
  expect(place.querySelector("img")).toBeNull();
  const links = [...place.querySelectorAll("a")];
  expect(links.map((link) => [link.textContent, link.getAttribute("href"), link.rel])).toEqual([
    ["A chart evil.example", "https://evil.example/p.png?s=1", "noreferrer"],
    ["Picture ", "x.png", "noreferrer"],
  ]);
  expect(place.querySelector("em")!.textContent).toBe("bad");
});

test("a table of a thousand rows is one table with all of them", () => {
  const rows = Array.from({ length: 1_000 }, (_, n) => `| ${n} | word **${n}** |`);
  const place = shown(`| a | b |\n|---|---|\n${rows.join("\n")}\n`);
  expect(place.querySelectorAll("table")).toHaveLength(1);
  expect(place.querySelectorAll("th")).toHaveLength(2);
  expect(place.querySelectorAll("tbody tr")).toHaveLength(1_000);
  expect(place.querySelectorAll("td strong")).toHaveLength(1_000);
});

/** Each made to be slow for some way of reading it. */
test.each([
  ["brackets", "[".repeat(60_000)],
  ["brackets in words", "a[b".repeat(20_000)],
  ["footnotes", "[^a]".repeat(15_000)],
  ["definitions", "[a]: b\n".repeat(8_000)],
  ["stars", "*a ".repeat(1_000)],
  ["marks", "*_~`".repeat(15_000)],
  ["backticks", Array.from({ length: 300 }, (_, n) => "`".repeat(n)).join(" ")],
  ["lists", "- ".repeat(30_000)],
  ["fences", "- ```\n".repeat(500)],
  ["pipes", "|".repeat(60_000)],
  ["addresses", "www.a.".repeat(10_000)],
  ["mail", "a@b.".repeat(15_000)],
  ["less than", "<a ".repeat(20_000)],
  ["fences within the bound", "- ```\n".repeat(480)],
  ["definitions within the bound", `[a]: b\n\n${"[a] ".repeat(700)}`],
  ["marks within the bound", "a**b".repeat(700)],
  ["blanks", `a${" ".repeat(60_000)}b`],
])("a flood takes hardly longer than as much prose, as it streams too: %s", (_, flood) => {
  const took = (text: string) => {
    const began = performance.now();
    renderToStaticMarkup(<Markdown text={text} streaming />);
    renderToStaticMarkup(<Markdown text={text} />);
    return performance.now() - began;
  };
  const prose = "Some **words** on `tea` in [a pot](https://example.com).\n\n".repeat(50);
  took(prose);
  // Each element takes its time, of which a flood may have many for one of prose; what is slow takes minutes.
  expect(took(flood)).toBeLessThan(2_000 + 40 * took(prose));
});
