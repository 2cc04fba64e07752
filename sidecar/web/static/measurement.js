/** One measurement: a run, and the worker whose readers follow it. */

import { commandId } from "./clock.js";

/** @typedef {import("./clock.js").Clock} Clock */
/** @typedef {import("./worker.js").Report} Report */
/** @typedef {import("./worker.js").Plan} Plan */

export const SYNTHETIC = "synthetic";
const FINAL = ["completed", "failed", "cancelled", "interrupted"];

/** The sidecar refused, or did not answer (`unreachable`). */
export class Refused extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/**
 * The ack of one command.
 *
 * @param {URL} base where the routes are
 * @param {string} cmd
 * @param {object} fields
 */
async function command(base, cmd, fields) {
  const body = JSON.stringify({ id: commandId(), cmd, ...fields });
  // `keepalive`: the last command of a page that is being closed gets through too.
  const request = { method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive: true };
  const response = await fetch(new URL("control", base), request).catch(() => null);
  const ack = await response?.json().catch(() => null);
  if (!ack) throw new Refused("unreachable", `no sidecar answers at ${base.href}; is it running? \`make serve\``);
  if (!ack.ok) throw new Refused(ack.error.code, ack.error.message);
  return ack;
}

/**
 * A new run's id. Raises Refused.
 *
 * @param {URL} base
 * @param {string} crew
 * @param {object} inputs
 * @returns {Promise<string>}
 */
export async function startRun(base, crew, inputs) {
  return (await command(base, "start", { crew, inputs })).run;
}

/**
 * The id of the newest run that has not ended, if there is one. Raises Refused.
 *
 * @param {URL} base
 * @returns {Promise<string | undefined>}
 */
export async function newestLiveRun(base) {
  const { result } = await command(base, "list", { limit: 100 });
  return result.runs.find((/** @type {{state: string}} */ run) => !FINAL.includes(run.state))?.run;
}

/**
 * Whether it has the crew that is for measuring; so it has where it does not say.
 *
 * @param {URL} base
 * @returns {Promise<boolean>}
 */
export async function hasSynthetic(base) {
  const answer = await fetch(new URL("crews", base)).catch(() => null);
  const { crews } = (answer?.ok && (await answer.json().catch(() => null))) || { crews: null };
  return crews === null || crews.some((/** @type {{name: string}} */ crew) => crew.name === SYNTHETIC);
}

/**
 * End a run that nobody needs any more; if it can't be, it ends by itself.
 *
 * @param {URL} base
 * @param {string} run
 */
export async function cancelRun(base, run) {
  await command(base, "cancel", { run, reason: "the comparison was stopped" }).catch(() => {});
}

export class Measurement {
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });

  /** Raises Refused. @param {URL} base @returns {Promise<Clock>} */
  clock(base) {
    return new Promise((resolve, reject) => {
      this.#listen(({ clock }) => resolve(clock), reject);
      this.#worker.postMessage({ do: "clock", base: base.href });
    });
  }

  /**
   * Resolves when every reader has come to the end. Raises Refused.
   *
   * @param {Plan} plan
   * @param {(readers: Report[]) => void} onReport
   * @returns {Promise<void>}
   */
  follow(plan, onReport) {
    return new Promise((resolve, reject) => {
      this.#listen(({ readers, over }) => {
        onReport(readers);
        if (over) resolve();
      }, reject);
      this.#worker.postMessage({ do: "follow", ...plan });
    });
  }

  /** @param {(data: any) => void} onData @param {(error: Refused) => void} onFailure */
  #listen(onData, onFailure) {
    this.#worker.onmessage = ({ data }) => onData(data);
    // Without a message it is a script of its that did not load.
    this.#worker.onerror = ({ message }) =>
      onFailure(new Refused("no_worker", message || "the scripts that measure did not load; reload the page"));
  }

  /** Drop every connection; they come back by themselves. */
  cut() {
    this.#worker.postMessage({ do: "cut" });
  }

  /** End now, with what there is. */
  stop() {
    this.#worker.postMessage({ do: "stop" });
  }

  close() {
    this.#worker.terminate();
  }
}
