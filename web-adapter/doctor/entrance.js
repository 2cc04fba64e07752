// Whether a page gets as far as the sidecar at all.
import { ask, below, isTimeout, parsed, reason } from "./http.js";
import { finder, isDirect, rewrites, whoAnswers } from "./finding.js";

/** @typedef {import("./finding.js").Look} Look */
/** @typedef {import("./finding.js").Finding} Finding */

const START =
  "Start it: `make serve`, or `python -m sidecar`. It says its address, " +
  "http://127.0.0.1:8770 unless SIDECAR_PORT is set";

/**
 * @param {Look} look
 * @returns {Promise<Finding>}
 */
export async function isThere(look) {
  const find = finder(look, "reachable");
  try {
    const answer = await ask(below(look.url, "/healthz"), { wait: look.wait });
    const body = parsed(answer.text);
    if (body?.ok === true) return find.ok(`the sidecar answers within ${Math.ceil(answer.ms)} ms`);
    if (body?.error?.code === "forbidden")
      return find.wrong(
        `refused: ${body.error.message}`,
        `Call it 127.0.0.1 instead of ${look.url.hostname}, or name a page of that host in SIDECAR_ORIGINS`,
      );
    const who = whoAnswers(answer);
    return isDirect(look)
      ? find.wrong(`that is ${who}, not the sidecar`, `Give the sidecar's address. ${START}`)
      : find.wrong(`${who} answers with ${answer.status}: nothing is rewritten to the sidecar`, rewrites(look));
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (!isDirect(look)) return find.wrong(reason(error), "Start the page's server: npm run dev");
    if (code === "ECONNREFUSED") return find.wrong("nothing listens there: the sidecar is not running", START);
    if (isTimeout(error))
      return find.wrong(
        `the connection is taken, and nothing said for ${look.wait / 1000} s`,
        "Look at the output of whatever listens there; the sidecar answers in milliseconds",
      );
    if (code === "ENOTFOUND" || code === "EAI_AGAIN") return find.wrong(`there is no host ${look.url.hostname}`, START);
    return find.wrong(`no answer in ${look.url.protocol.slice(0, -1)}: ${reason(error)}`, START);
  }
}

/**
 * @param {Look} look
 * @returns {Promise<Finding>}
 */
export async function isReady(look) {
  const find = finder(look, "ready");
  const { text } = await ask(below(look.url, "/readyz"), { wait: look.wait });
  const answer = parsed(text);
  return answer?.ready
    ? find.ok("it takes runs")
    : find.wrong(
        `not yet: ${answer?.why ?? "without a reason"}`,
        "A worker takes seconds to import crewai. If it stays so, the sidecar's output says more",
      );
}

/**
 * As the browser asks before a page's first command (a preflight).
 *
 * @param {Look} look
 * @param {URL} page
 * @returns {Promise<Finding>}
 */
export async function letsIn(look, { origin }) {
  const find = finder(look, "origin");
  const headers = { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
  const answer = await ask(below(look.url, "/control"), { method: "OPTIONS", headers, wait: look.wait });
  if (parsed(answer.text)?.error?.code === "forbidden")
    return find.wrong(
      `pages of ${origin} are not let in`,
      `Add ${origin} to SIDECAR_ORIGINS (comma between origins, no slash at the end) and start the sidecar again`,
    );
  const allowed = answer.headers["access-control-allow-origin"];
  if (answer.status < 300 && allowed === origin) return find.ok(`pages of ${origin} are let in`);
  const instead = allowed ? `lets ${allowed} in` : "no Access-Control-Allow-Origin";
  return find.wrong(
    `the preflight is answered with ${answer.status} and ${instead}`,
    "A proxy in front of the sidecar answers for it: let OPTIONS and the headers through",
  );
}

/**
 * What no request from here would show: a page opened elsewhere, or with TLS.
 *
 * @param {Look} look
 * @param {URL} page
 * @returns {Finding | undefined}
 */
export function suits(look, page) {
  const find = finder(look, "address");
  const through = new URL("/crew", page);
  if (isLoopback(look.url)) {
    if (isLoopback(page)) return undefined;
    return find.wrong(
      `for whoever opens ${page.origin} elsewhere, ${look.url.hostname} is their own machine`,
      `${rewrites({ ...look, url: through })}\n` +
        `Then NEXT_PUBLIC_CREW_URL=/crew, and: crew-web-adapter doctor ${look.url.origin} ${through.href}`,
    );
  }
  return page.protocol === "https:" && look.url.protocol === "http:"
    ? find.wrong(
        "a page with https: may not open an address with http:",
        "Put TLS in front of the sidecar, or let the page's server pass it on: rewrites() in next.config",
      )
    : undefined;
}

/** @param {URL} url */
const isLoopback = ({ hostname }) =>
  hostname === "localhost" || hostname === "[::1]" || /^127\.|\.localhost$/.test(hostname);
