// node replay/build.mjs OUT: one HTML file without a run, into which sidecar/web/exporting.py puts one.
//
// Everything is inside of it, and its policy lets nothing else in: it replays a run from a disk, without a network.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import { gzipSync } from "node:zlib";
import { Rolldown } from "tsdown";

const HERE = dirname(fileURLToPath(import.meta.url));
const WEB = join(HERE, "../..");

/** A page without a sidecar has no client of one, and one without Next none of that. */
const OUT_OF_PLACE = /\/example\/components\/crew\.ts$|\/src\/client\.ts$|\/node_modules\/next\//;

/** Both in sidecar/web/exporting.py. */
const TITLE = "<!--crew:title-->";
const EVENTS = "<!--crew:events-->";

/** As the pages have them, in their order, which decides; then what is the file's own. */
function styles() {
  const layout = readFileSync(join(HERE, "../app/layout.tsx"), "utf8");
  const names = [...layout.matchAll(/^import "\.\/([\w-]+\.css)";$/gm)].map(([, name = ""]) => join("../app", name));
  return [...names, "replay.css"].map((name) => readFileSync(join(HERE, name), "utf8")).join("\n");
}

async function bundle() {
  /** @type {Map<string, string[]>} By what is imported. */
  const importers = new Map();
  /** @type {string[]} */
  const wrong = [];
  const built = await Rolldown.rolldown({
    input: join(HERE, "main.tsx"),
    platform: "browser",
    resolve: {
      alias: {
        "crew-web-adapter": join(WEB, "src/index.ts"),
        "crew-web-adapter/react": join(WEB, "src/react/index.ts"),
      },
    },
    transform: { define: { "process.env.NODE_ENV": '"production"' }, target: "es2022", jsx: "react-jsx" },
    plugins: [
      {
        name: "importers",
        moduleParsed({ id, importedIds }) {
          for (const imported of OUT_OF_PLACE.test(id) ? [] : importedIds)
            importers.set(imported, [
              ...(importers.get(imported) ?? []),
              `${relative(WEB, imported)}, which ${relative(WEB, id)} imports`,
            ]);
        },
      },
    ],
  });
  const { output } = await built.generate({ format: "iife", minify: true, codeSplitting: false });
  await built.close();
  const [chunk] = output;
  for (const [id, { renderedLength }] of Object.entries(chunk.modules))
    if (renderedLength > 0 && OUT_OF_PLACE.test(id)) wrong.push(...(importers.get(id) ?? []));
  if (wrong.length > 0) throw new Error(`The replay must do without these:\n${wrong.join("\n")}`);
  return chunk.code;
}

/**
 * As the text of a `<script>`: what would end it there (HTML, section 4.12.1.3) is written in a way that strings and
 * patterns take for the same. Anywhere else it would be wrong, and is not compiled.
 *
 * @param {string} code
 */
function inScript(code) {
  const safe = code.trim().replaceAll(/<(?=!--|\/?script)/gi, "\\x3c");
  void new Script(safe);
  return safe;
}

/** @param {string} css */
const small = (css) =>
  css
    .replaceAll(/\/\*[^]*?\*\//g, "")
    .replaceAll(/\s+/g, " ")
    .trim();

/** @param {string} text How a policy names what stands in the page itself (CSP 3, section 2.3.1). */
const source = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** @param {{ script: string, style: string }} parts */
function page({ script, style }) {
  const policy = [
    "default-src 'none'",
    `script-src ${source(script)}`,
    `style-src ${source(style)}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const icon = encodeURIComponent(readFileSync(join(HERE, "../app/icon.svg"), "utf8").trim());
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${TITLE}</title>
<link rel="icon" href="data:image/svg+xml,${icon}">
<style>${style}</style>
</head>
<body>
<div id="root"><noscript>This file replays a run of a crew, for which it needs JavaScript.</noscript></div>
${EVENTS}
<script>${script}</script>
</body>
</html>
`;
}

const script = inScript(await bundle());
const html = page({ script, style: small(styles()) });
for (const place of [TITLE, EVENTS])
  if (html.split(place).length !== 2) throw new Error(`The replay has ${place} not exactly once.`);
const out = argv[2] ?? join(WEB, "../sidecar/web/page/replay.html");
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, html);
const kb = (/** @type {string} */ text) => `${(gzipSync(text, { level: 9 }).length / 1024).toFixed(0)} KB`;
console.log(`${basename(out)}: ${kb(html)} gzipped, of which script ${kb(script)}`);
