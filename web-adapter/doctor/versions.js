// Whether the React and the assistant-ui of an app are ones that the adapter is for.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { finder } from "./finding.js";

/** @typedef {import("./finding.js").Finding} Finding */

const UI = "@assistant-ui/react";

/**
 * Of each release of assistant-ui that is tried, its own packages' versions that fit: unpinned they float
 * to ones that do not. That with none needs no pins.
 *
 * @type {Record<string, Record<string, string>>}
 */
export const PINS = {
  "0.12.3": {},
  "0.12.28": {
    "@assistant-ui/core": "0.1.17",
    "@assistant-ui/store": "0.2.9",
    "@assistant-ui/tap": "0.5.10",
    "assistant-stream": "0.3.12",
  },
  "0.15.21": {
    "@assistant-ui/core": "0.3.20",
    "@assistant-ui/store": "0.3.14",
    "@assistant-ui/tap": "0.9.18",
  },
};

/**
 * @param {string} folder The app's.
 * @returns {Finding | undefined} Nothing, where no assistant-ui is installed: it is optional.
 */
export function fits(folder) {
  const find = finder({ url: pathToFileURL(folder) }, "versions");
  const ui = installed(UI, folder);
  const react = installed("react", folder);
  if (!ui) return undefined;
  const [major, minor, patch] = ui.split(".").map((part) => parseInt(part));
  if (major !== 0 || !minor || minor < 12 || minor > 15 || (minor === 12 && (patch ?? 0) < 3))
    return find.wrong(
      `assistant-ui ${ui} is none that the adapter is for`,
      `npm install ${UI}@0.12.28 or @0.15.21, with the pins of the adapter's README`,
    );
  if (react && !/^1[89]\./.test(react))
    return find.wrong(`React ${react} is none that the adapter is for`, "React 18 or 19");
  const pins = Object.entries(PINS[ui] ?? {});
  const loose = pins.filter(([name, version]) => installed(name, folder) !== version);
  if (loose.length)
    return find.unknown(
      `assistant-ui ${ui} with ${loose.map(([name]) => `${name} ${installed(name, folder)}`).join(", ")} was not tried`,
      `If the page fails, pin in package.json and install again:\n"overrides": ${JSON.stringify(Object.fromEntries(pins))}`,
    );
  return find.ok(`assistant-ui ${ui}${react ? `, React ${react}` : ""}`);
}

/**
 * @param {string} name
 * @param {string} folder
 * @returns {string | undefined} The version that a module in that folder would get.
 */
function installed(name, folder) {
  const places = createRequire(join(folder, "module.js")).resolve.paths(name) ?? [];
  const file = places.map((place) => join(place, name, "package.json")).find((path) => existsSync(path));
  return file && /** @type {{ version: string }} */ (JSON.parse(readFileSync(file, "utf8"))).version;
}
