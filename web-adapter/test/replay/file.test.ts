// @vitest-environment jsdom
import { expect, test } from "vitest";
import { aboutIn, eventsIn, remarksOn, type About } from "../../example/replay/file.ts";

const ABOUT: About = { run: "r_1", exported: Date.UTC(2026, 10, 24, 12), sidecar: "0.1.0", first: 1, cut: false };

function file(...scripts: readonly string[]): ParentNode {
  const page = document.createElement("body");
  page.innerHTML = scripts.join("\n");
  return page;
}
const piece = (json: string) => `<script type="application/json" class="events">${json}</script>`;

test("the events of all pieces come in order, and each piece is let go", () => {
  const page = file(piece('[{"seq":1},{"seq":2}]'), piece('[{"seq":3,"data":{"text":"\\u003c/script>"}}]'));
  expect([...eventsIn(page)]).toEqual([{ seq: 1 }, { seq: 2 }, { seq: 3, data: { text: "</script>" } }]);
  expect(page.querySelector("script")).toBeNull();
});

test("what is said of the events is behind them, and missing where the file is", () => {
  const about = `<script type="application/json" id="about">${JSON.stringify(ABOUT)}</script>`;
  expect(aboutIn(file(piece("[]"), about))).toEqual(ABOUT);
  expect(aboutIn(file(piece("[]")))).toBeNull();
});

test.each<[string, About | null, boolean, readonly RegExp[]]>([
  ["a whole run says when it was saved", ABOUT, false, [/^Exported on .*24/]],
  ["a live one that there is more by now", ABOUT, true, [/while the run was at work: what came later is not/]],
  ["a long one that it is cut", { ...ABOUT, cut: true }, true, [/longer than one file takes/]],
  ["one whose beginning is gone, that too", { ...ABOUT, first: 7 }, false, [/^Exported on/, /beginning is missing/]],
  ["a file that broke off, what to do", null, true, [/not whole.*Export the run again/]],
])("%s", (_, about, live, remarks) => {
  const said = remarksOn(about, live);
  expect(said).toHaveLength(remarks.length);
  for (const [n, remark] of remarks.entries()) expect(said[n]).toMatch(remark);
});
