// The command line: what is asked for, and what was found, in words.
import { parseArgs } from "node:util";
import { examine } from "./examine.js";

const HELP = `\
Usage: crew-web-adapter doctor [SIDECAR] [PAGE] [--run] [--wait SECONDS]

Looks whether a page can reach the sidecar, and names what is in the way; and, in an app's
folder, whether its React and assistant-ui are ones that the adapter is for.

  SIDECAR  its address; by default NEXT_PUBLIC_CREW_URL, or http://127.0.0.1:8770
  PAGE     the page's origin, by default http://localhost:3000; with a path, as in
           http://localhost:3000/crew, an address that is rewritten to the sidecar:
           then all is tried through it too
  --run    a run of your crew may be started to see its events stream, and is cancelled
           again; with a real model that costs some tokens
  --wait   seconds that any one thing may take; 5 by default

Exits with 0 if nothing is wrong, else with 1.`;

const WORDS = /** @type {const} */ ({ ok: ["ok", 32], wrong: ["FAIL", 31], unknown: ["?", 33] });

/**
 * @typedef {object} Terminal
 * @property {NodeJS.ProcessEnv} env
 * @property {string} folder Where it was called.
 * @property {boolean} colourful Whether it shows colours; NO_COLOR in `env` wins.
 * @property {(line: string) => void} say
 * @property {(line: string) => void} complain
 */

/**
 * @param {string[]} words
 * @param {Terminal} terminal
 * @returns {Promise<number>} The exit code.
 */
export async function doctor(words, { env, folder, colourful, say, complain }) {
  let options;
  try {
    options = understand(words, env, folder);
  } catch (error) {
    complain(`${/** @type {Error} */ (error).message}\n\n${HELP}`);
    return 1;
  }
  if (options === "help") {
    say(HELP);
    return 0;
  }
  let last = "";
  let mistakes = 0;
  for await (const { url, check, state, says, fix } of examine(options)) {
    if (url.href !== last) say(`${last && "\n"}${url.href}`);
    last = url.href;
    const [word, colour] = WORDS[state];
    const mark = colourful && !env["NO_COLOR"] ? `\x1b[${colour}m${word.padEnd(4)}\x1b[0m` : word.padEnd(4);
    say(`  ${mark}  ${check.padEnd(9)}  ${printable(says)}`);
    for (const line of fix?.split("\n") ?? []) say(`${" ".repeat(19)}${printable(line)}`);
    if (state === "wrong") mistakes++;
  }
  say(mistakes ? `\n${mistakes === 1 ? "One thing is" : `${mistakes} things are`} wrong.` : "\nNothing is wrong.");
  return mistakes ? 1 : 0;
}

/**
 * @param {string[]} words
 * @param {NodeJS.ProcessEnv} env
 * @param {string} folder
 * @returns {"help" | import("./examine.js").Options}
 */
function understand(words, env, folder) {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h" },
      run: { type: "boolean", default: false },
      wait: { type: "string", default: "5" },
    },
  });
  if (values.help) return "help";
  const [name, sidecar = ownAddress(env), page = "http://localhost:3000", ...more] = positionals;
  if (name !== "doctor") throw new Error(name === undefined ? "What is to be done?" : `There is no command ${name}.`);
  if (more.length) throw new Error(`Two addresses at most, and here is also ${more.join(" ")}.`);
  const wait = Number(values.wait) * 1000;
  if (!(wait > 0 && wait <= 60_000)) throw new Error(`--wait takes seconds, up to 60, not ${values.wait}.`);
  return { sidecar: address(sidecar), page: address(page), run: values.run, wait, folder };
}

/**
 * An app that goes through rewrites has a path there, which says nothing about where the sidecar is.
 *
 * @param {NodeJS.ProcessEnv} env
 */
function ownAddress(env) {
  const url = env["NEXT_PUBLIC_CREW_URL"];
  return url && URL.canParse(url) ? url : "http://127.0.0.1:8770";
}

/**
 * With any scheme of WebSocket's, as people copy them, and without a slash at the end.
 *
 * @param {string} text
 */
function address(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^(http|ws)s?:$/.test(url.protocol)) return new URL(text.replace(/^ws/i, "http").replace(/\/+$/, ""));
  throw new Error(`${text} is no address: it begins with http:// or https://.`);
}

/**
 * What others say goes to a terminal: no control characters, and not without end.
 *
 * @param {string} text
 */
function printable(text) {
  return text.replace(/\p{Cc}/gu, " ").slice(0, 400);
}
