// The adapter's tests on the versions of React and assistant-ui that it is for: `npm run test:peers`.
//
//     npm run test:peers            all of them, with the result of each in a table
//     npm run test:peers -- 0.12.3  those whose name has this
//
// Each is installed once, into .peers/, with the pins that the README names and no others.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv, env, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { PINS } from "../doctor/versions.js";

const HERE = join(import.meta.dirname, "..");
const UI = "@assistant-ui/react";

const REACTS = ["18.3.1", "19.3.1"];

/**
 * @param {string} ui
 * @param {string} react
 * @param {Record<string, string>} overrides
 * @returns {string | undefined} The folder, unless npm finds no way to install them.
 */
function install(ui, react, overrides) {
  const folder = join(HERE, ".peers", `assistant-ui-${ui}-react-${react}`);
  const dependencies = { [UI]: ui, react, "react-dom": react };
  const manifest = JSON.stringify({ private: true, dependencies, overrides }, null, 2);
  const file = join(folder, "package.json");
  const done = join(folder, "node_modules", ".package-lock.json");
  if (existsSync(done) && readFileSync(file, "utf8") === manifest) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, manifest);
  const { status } = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--silent"], { cwd: folder });
  return status === 0 ? folder : undefined;
}

/** @returns {string} The newest release of 0.15, which may be one that does not install. */
function newest() {
  const said = execFileSync("npm", ["view", `${UI}@0.15`, "version", "--json"], { encoding: "utf8" });
  return [/** @type {string | string[]} */ (JSON.parse(said))].flat().at(-1) ?? "";
}

/** @param {string} folder */
function test(folder) {
  const { stdout, stderr } = spawnSync("npx", ["vitest", "run", "test/react"], {
    cwd: HERE,
    env: { ...env, PEERS: folder, NO_COLOR: "1" },
    encoding: "utf8",
  });
  const count = (/** @type {string} */ word) => Number(new RegExp(`Tests .*?(\\d+) ${word}`).exec(stdout)?.[1] ?? 0);
  const passed = count("passed");
  const unhandled = /(\d+) errors?$/m.exec(stdout)?.[0];
  const failed = count("failed") || (passed && !unhandled ? 0 : 1);
  return { passed, failed, said: stdout + stderr };
}

function main(only = "") {
  const latest = newest();
  const rows = [];
  for (const ui of new Set([...Object.keys(PINS), latest]))
    for (const react of REACTS) {
      const name = `assistant-ui ${ui}, React ${react}`;
      if (!name.includes(only)) continue;
      const folder = install(ui, react, PINS[ui] ?? {});
      if (!folder && ui in PINS) throw new Error(`npm does not install ${name}`);
      const { passed = 0, failed = 0, said = "" } = folder ? test(folder) : {};
      if (failed) console.log(said);
      rows.push({ name, passed, failed, note: folder ? "" : "does not install" });
      console.log(`${name}: ${folder ? `${passed} passed, ${failed} failed` : "npm does not install it"}`);
    }
  console.table(rows);
  return rows.length && rows.every(({ failed }) => failed === 0) ? 0 : 1;
}

if (argv[1] === fileURLToPath(import.meta.url)) exit(main(argv[2]));
