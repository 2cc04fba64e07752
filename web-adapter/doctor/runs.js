// The run that a stream is tried with. A real one costs tokens, so it is started only where that is allowed.
import { randomBytes } from "node:crypto";
import { ask, below, parsed } from "./http.js";

/** @typedef {import("./finding.js").Look} Look */
/** @typedef {{ id: string, ours: boolean }} Run */

/** Ten events a second for a minute: it is cancelled long before. */
const SYNTHETIC = { cmd: "start", crew: "synthetic", inputs: { rate: 10, events: 600, delay: 0 } };

export const newId = () => `doctor-${randomBytes(12).toString("hex")}`;

/**
 * One that is live, or a synthetic one (which only a sidecar with SIDECAR_SYNTHETIC has), or a real
 * one if it may be; else the newest there is.
 *
 * @param {Look} look
 * @param {boolean} mayStart
 * @returns {Promise<Run | undefined>}
 */
export async function findRun(look, mayStart) {
  const { text } = await ask(below(look.sidecar, "/runs?limit=20"), { wait: look.wait });
  /** @type {{ run: string, finished: number | null }[]} */
  const runs = parsed(text)?.runs ?? [];
  const live = runs.find(({ finished }) => !finished);
  if (live) return { id: live.run, ours: false };
  for (const start of mayStart ? [SYNTHETIC, { cmd: "start", inputs: { message: "Say hello" } }] : [SYNTHETIC]) {
    const { reply } = await command(look, start);
    if (reply?.ok) return { id: reply.run, ours: true };
  }
  return runs[0] && { id: runs[0].run, ours: false };
}

/**
 * @param {Look} look
 * @param {Run} run
 */
export async function isLive({ sidecar, wait }, run) {
  const { text } = await ask(below(sidecar, `/runs/${run.id}`), { wait });
  return !parsed(text)?.finished;
}

/**
 * @param {Look} look
 * @param {object} body
 */
export async function command({ url, origin, wait }, body) {
  const answer = await ask(below(url, "/control"), {
    method: "POST",
    headers: { ...(origin && { origin }) },
    json: { id: newId(), ...body },
    wait,
  });
  return { answer, reply: parsed(answer.text) };
}
