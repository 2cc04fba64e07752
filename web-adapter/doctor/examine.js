// Which things are looked at, and in which order: a mistake is said once, not again by all that follows from it.
import { isReady, isThere, letsIn, suits } from "./entrance.js";
import { finder } from "./finding.js";
import { isTimeout, reason } from "./http.js";
import { command, findRun } from "./runs.js";
import { opensWebSocket, streams, takesCommands } from "./transports.js";
import { fits } from "./versions.js";

/** @typedef {import("./finding.js").Look} Look */
/** @typedef {import("./finding.js").Finding} Finding */

/**
 * @typedef {object} Options
 * @property {URL} sidecar
 * @property {URL} page With a path: an address that the page's server rewrites to the sidecar.
 * @property {boolean} run Whether a run of the default crew may be started.
 * @property {number} wait Milliseconds that any one thing may take.
 * @property {string} folder The app's.
 */

/**
 * @param {Options} options
 * @returns {AsyncGenerator<Finding, void>}
 */
export async function* examine({ sidecar, page, run: mayStart, wait, folder }) {
  const versions = fits(folder);
  if (versions) yield versions;
  const rewritten = page.pathname !== "/";
  const look = { url: sidecar, sidecar, origin: undefined, wait };
  const there = await isThere(look);
  yield there;
  if (there.state !== "ok") return;
  yield await survived(look, "ready", isReady(look));
  const entry = await survived(look, "origin", letsIn(look, page));
  yield entry;
  const unsuited = rewritten ? undefined : suits(look, page);
  if (unsuited) yield unsuited;

  const run = await findRun(look, mayStart).catch(() => undefined);
  // An origin that is refused would be refused each time: the rest is asked as by a program, without one.
  const origin = entry.state === "ok" ? page.origin : undefined;
  try {
    yield* transports({ ...look, origin }, run);
    if (!rewritten) return;
    const through = { ...look, url: page, origin };
    const passedOn = await isThere(through);
    yield passedOn;
    if (passedOn.state === "ok") yield* transports(through, run);
  } finally {
    if (run?.ours) await command(look, { cmd: "cancel", run: run.id, reason: "the doctor is done" }).catch(() => {});
  }
}

/**
 * @param {Look} look
 * @param {import("./runs.js").Run | undefined} run
 */
async function* transports(look, run) {
  yield await survived(look, "control", takesCommands(look));
  yield await survived(look, "websocket", opensWebSocket(look, run));
  yield await survived(look, "stream", streams(look, run));
}

/**
 * A check that gets no answer at all says that.
 *
 * @param {Look} look
 * @param {string} check
 * @param {Promise<Finding>} finding
 */
const survived = (look, check, finding) =>
  finding.catch((error) =>
    finder(look, check).wrong(
      isTimeout(error) ? `no answer within ${look.wait / 1000} s` : reason(error),
      "Look at the sidecar's output, and at whatever is in front of it",
    ),
  );
