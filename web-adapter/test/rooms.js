// The rooms of this package as the code has them; `npm run rooms` draws who imports whom.
//
// A room is a folder, or a module at the root of src/. Types count like all else: who needs the type
// of a thing cannot be read without it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = join(import.meta.dirname, "..");

/** From the bottom up; a room imports from floors below its own. */
export const FLOORS = [
  ["backoff", "protocol", "sse"],
  ["errors", "reads", "transport", "view"],
  ["status", "timer"],
  ["fetch-sse", "follow", "outbox", "reducer", "result", "ws"],
  ["client", "snapshots"],
  ["past"],
  ["index", "react", "components"],
  ["example/components/code"],
  ["example/components"],
  ["example/components/timeline"],
  ["example/components/messages", "example/components/runs", "example/components/threads"],
  ["example/components/run"],
  ["example/app", "example/replay"],
  // Another program, which shares nothing with the ones above: it is shipped as it stands.
  ["doctor"],
];

/** The doors: what is outside of the package imports it by these names. */
const DOORS = {
  "crew-web-adapter": "src/index.ts",
  "crew-web-adapter/react": "src/react/index.ts",
  "crew-web-adapter/components": "src/components/index.ts",
};

/** @typedef {{ importer: string, imported: string }} Import Paths of modules below the root. */

/** @returns {string[]} Paths below the root. */
export const modules = () =>
  ["src", "doctor", "example/app", "example/components", "example/replay"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(tsx?|js)$/.test(entry.name))
      .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
      .sort(),
  );

/**
 * `src/ws.ts` is the room `ws`, `src/react/run.ts` is in the room `react`; the folders of example/app are Next's.
 *
 * @param {string} path
 */
export function roomOf(path) {
  if (path.startsWith("example/app/")) return "example/app";
  const inside = path.replace(/^src\//, "");
  return inside.includes("/") ? dirname(inside) : inside.replace(/\.\w+$/, "");
}

/**
 * What a module imports of these, `import type` and JSDoc's `import("…")` included.
 *
 * @param {string} importer
 * @param {string} text
 * @returns {Import[]}
 */
export function importsOf(importer, text = readFileSync(join(ROOT, importer), "utf8")) {
  const names = [...text.matchAll(/\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g)].map(([, name = ""]) => name);
  return [...new Set(names)].flatMap((name) => {
    const imported = resolve(importer, name);
    return imported === undefined ? [] : [{ importer, imported }];
  });
}

/** All imports there are between modules. */
export const imports = () => modules().flatMap((module) => importsOf(module));

/**
 * @param {string} importer
 * @param {string} name
 * @returns {string | undefined} None for what is not of this package, and for styles.
 */
function resolve(importer, name) {
  if (name in DOORS) return DOORS[/** @type {keyof typeof DOORS} */ (name)];
  if (!name.startsWith(".") || name.endsWith(".css")) return undefined;
  const path = join(dirname(importer), name);
  const found = ["", ".ts", ".tsx"]
    .map((end) => path + end)
    .find((file) => /\.\w+$/.test(file) && existsSync(join(ROOT, file)));
  if (!found) throw new Error(`${importer} imports ${name}, and there is no such file`);
  return found;
}

/**
 * A way from a module back to itself, if there is one.
 *
 * @param {Import[]} arrows
 * @returns {string[] | undefined}
 */
export function circle(arrows) {
  /** @type {Set<string>} */
  const done = new Set();
  /**
   * @param {string} at
   * @param {string[]} way
   * @returns {string[] | undefined}
   */
  const walk = (at, way) => {
    if (way.includes(at)) return [...way.slice(way.indexOf(at)), at];
    if (done.has(at)) return undefined;
    for (const { importer, imported } of arrows) {
      const found = importer === at ? walk(imported, [...way, at]) : undefined;
      if (found) return found;
    }
    done.add(at);
    return undefined;
  };
  return arrows.map(({ importer }) => walk(importer, [])).find(Boolean);
}

/** Floors from the top, each room with the rooms it imports from and how many imports. */
export function draw() {
  const all = imports();
  const lines = [];
  for (const floor of FLOORS.toReversed()) {
    lines.push("-".repeat(100));
    for (const room of floor) {
      const size = modules().filter((path) => roomOf(path) === room).length;
      const others = all.filter((one) => roomOf(one.importer) === room).map(({ imported }) => roomOf(imported));
      const counts = [...new Set(others)]
        .filter((other) => other !== room)
        .sort()
        .map((other) => `${other} ${others.filter((one) => one === other).length}`);
      lines.push(`${room.padEnd(24)} ${String(size).padStart(2)} modules   -> ${counts.join(", ") || "nothing"}`);
    }
  }
  return lines.join("\n");
}

if (argv[1] === fileURLToPath(import.meta.url)) console.log(draw());
