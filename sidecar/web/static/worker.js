/**
 * The measuring itself, in a thread of its own: what the page draws does not delay what arrives.
 *
 * In: {do: "clock", base} · {do: "follow", …Plan} · {do: "cut"} · {do: "stop"}
 * Out: {clock} · {readers: Report[], over: boolean}
 */

import { now, readClock } from "./clock.js";
import { Reader } from "./reader.js";

/** @typedef {import("./reader.js").Kind} Kind */

/**
 * @typedef {object} Plan
 * @property {string} run
 * @property {{name: string, base: string}[]} paths ways to the sidecar
 * @property {"ts" | "at"} birth
 * @property {string | null} type
 * @property {number[][]} cuts by reader, after how many timed events it is cut off, rising
 * @property {number} away ms that a cut lasts
 */

/**
 * @typedef {object} Report one reader, as it stands; `fresh` are the samples since the last report
 * @property {string} path
 * @property {Kind} kind
 * @property {string} state
 * @property {[seq: number, born: number, arrived: number][]} fresh
 * @property {number[]} connects
 * @property {number[]} recoveries
 * @property {number} bytes
 * @property {number} events
 * @property {number} lost
 * @property {number} duplicates
 * @property {string | null} failure
 */

const REPORT_EVERY = 125;
/** How long one connection may keep the next one waiting (ms). */
const TURN = 500;
/** How long after the first reader's end the others may take, and how long all may be silent (ms). */
const GRACE = 10_000;
const SILENCE = 30_000;

/** @type {{path: string, kind: Kind, reader: Reader, sent: number}[]} */
let readers = [];
let stopped = false;

addEventListener("message", ({ data }) => {
  if (data.do === "clock") readClock(new URL(data.base)).then((clock) => postMessage({ clock }));
  else if (data.do === "follow") follow(data);
  else if (data.do === "cut") for (const { reader } of readers) reader.cut();
  else if (data.do === "stop") {
    stopped = true;
    for (const { reader } of readers) reader.end();
  }
});

/** @param {Plan} plan */
async function follow(plan) {
  const timer = setInterval(report, REPORT_EVERY, false);
  for (const { name, base } of plan.paths) {
    for (const kind of /** @type {Kind[]} */ (["ws", "sse"])) {
      if (stopped) break;
      const { run, birth, type, away } = plan;
      const cuts = plan.cuts[readers.length] ?? [];
      const reader = new Reader({ kind, base: new URL(base), run, birth, type, cuts, away });
      readers.push({ path: name, kind, reader, sent: 0 });
      await Promise.race([reader.connected, sleep(TURN)]);
    }
  }
  await allOver();
  clearInterval(timer);
  report(true);
}

/** Returns once each reader has come to the run's end, or has no hope of it. */
async function allOver() {
  let heard = { bytes: 0, at: now() };
  /** @type {number | null} */
  let ended = null;
  for (;;) {
    const live = readers.filter(({ reader }) => reader.state !== "over");
    if (live.length === 0) return;
    const at = now();
    const bytes = readers.reduce((sum, { reader }) => sum + reader.bytes, 0);
    if (bytes !== heard.bytes) heard = { bytes, at };
    if (readers.some(({ reader }) => reader.state === "over" && reader.failure === null)) ended ??= at;
    const failure =
      ended !== null && at - ended > GRACE
        ? `nothing came until ${GRACE / 1000} s after the run had ended`
        : at - heard.at > SILENCE
          ? `nothing came for ${SILENCE / 1000} s`
          : null;
    if (failure !== null) for (const { reader } of live) reader.end(failure);
    await sleep(REPORT_EVERY);
  }
}

/** @param {boolean} over */
function report(over) {
  const reports = readers.map((entry) => {
    const { path, kind, reader } = entry;
    const fresh = reader.samples.slice(entry.sent);
    entry.sent = reader.samples.length;
    const { state, connects, recoveries, bytes, events, lost, duplicates, failure } = reader;
    return { path, kind, state, fresh, connects, recoveries, bytes, events, lost, duplicates, failure };
  });
  postMessage({ readers: reports, over });
}

/** @param {number} ms */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
