import { expect, test } from "vitest";
import { blocksOf, codeOf, tooDeep } from "../example/components/blocks.ts";

const CODE: [string, string, string][] = [
  ["a whole block", "```js\nconst a = 1;\n```", "const a = 1;"],
  ["tildes", "~~~\na\nb\n~~~", "a\nb"],
  ["a longer end", "```\na\n`````", "a"],
  ["an indented end", "```\na\n   ```", "a"],
  ["blanks behind the end", "```\na\n```  \n", "a"],
  ["nothing in it", "```\n```", ""],
  ["one that is being written", "```py\nprint(1)\n", "print(1)\n"],
  ["an end that is being written", "```py\nprint(1)\n``", "print(1)\n``"],
  ["a shorter fence within", "````\n```\na\n```\n````", "```\na\n```"],
  ["a fence of the other kind at its end", "```\n~~~", "~~~"],
  ["backticks at the end of a line of code", "```\necho ```", "echo ```"],
];

test.each(CODE)("code: %s", (_, block, code) => {
  expect(codeOf(block)).toBe(code);
});

test.each([["text"], ["```"], ["`` a\nb ``"], ["```a`b\nc"], ["    ```\na"], ["a\n```\nb\n```"]])(
  "no code: %j",
  (block) => {
    expect(codeOf(block)).toBeUndefined();
  },
);

test("a flood of backticks takes no longer than as much text", () => {
  const flood = `\`\`\`\nx${"`".repeat(256_000)}x`;
  const began = performance.now();
  for (const block of blocksOf(flood)) codeOf(block);
  for (const block of blocksOf("`".repeat(256_000))) codeOf(block);
  // 64 KB took 13 s, and four times as much sixteen times that; now 256 KB take a few ms.
  expect(performance.now() - began).toBeLessThan(500);
});

test.each([
  ["1. ".repeat(20), true],
  ["> ".repeat(1_000), true],
  [`a\n${">".repeat(20)}`, true],
  ["1. ".repeat(19), false],
  ["-".repeat(100), false],
  ["- a\n".repeat(100), false],
  ["| - | - |\n".repeat(100), false],
  ["1 ".repeat(100_000), false],
  [" ".repeat(100_000), false],
])("lists in lists, made to overflow the stack: %#", (block, deep) => {
  expect(tooDeep(block)).toBe(deep);
});
