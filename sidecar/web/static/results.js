/** What the readers have told so far, condensed: figures, verdict, and what a proxy adds. Pure. */

import { added, figures, sorted } from "./figures.js";
import { number, verdict } from "./verdict.js";

/** @typedef {import("./figures.js").Figures} Figures */
/** @typedef {import("./worker.js").Report} Report */
/** @typedef {import("./reader.js").Kind} Kind */

export const HERE = "here";
export const VIA = "via";

/**
 * @typedef {object} Side one transport on one path
 * @property {string} path
 * @property {Kind} kind
 * @property {string} name
 * @property {Figures} figures
 * @property {Float64Array} ordered latencies in ms, in order
 * @property {number | null} added ms that this path adds to the page's own, by the same events
 */

/** @type {Record<Kind, string>} */
const NAMES = { ws: "WebSocket", sse: "SSE" };

export class Results {
  /** @type {Map<string, {report: Report, samples: [seq: number, born: number, arrived: number][]}>} */
  #readers = new Map();

  /** @param {Report[]} reports */
  add(reports) {
    for (const report of reports) {
      const key = `${report.path} ${report.kind}`;
      const samples = this.#readers.get(key)?.samples ?? [];
      for (const sample of report.fresh) samples.push(sample);
      this.#readers.set(key, { report, samples });
    }
  }

  /** How many events the furthest reader has had live. */
  get progress() {
    return Math.max(0, ...[...this.#readers.values()].map(({ samples }) => samples.length));
  }

  /**
   * Every reader's figures. Once all is over they are compared by the events that all had live: a cut
   * keeps some from one or the other.
   *
   * @param {number} offset ms to add to arrivals
   * @param {boolean} over
   * @returns {Side[]}
   */
  sides(offset, over) {
    const readers = [...this.#readers.values()];
    const working = readers.filter(({ report, samples }) => report.failure === null && samples.length > 0);
    const common = over ? inAll(working.map(({ samples }) => samples)) : null;
    return readers.map(({ report, samples }) => {
      const { path, kind, bytes, events, connects, recoveries, lost, duplicates, failure } = report;
      const counted = common === null ? samples : samples.filter(([seq]) => common.has(seq));
      const other = path === HERE ? undefined : this.#readers.get(`${HERE} ${kind}`);
      const bytesPerEvent = events > 0 ? bytes / events : null;
      return {
        path,
        kind,
        name: NAMES[kind],
        figures: figures(
          counted.map(([, born, arrived]) => [born, arrived + offset]),
          { bytesPerEvent, connects, recoveries, lost, duplicates, failure },
        ),
        ordered: sorted(counted.map(([, born, arrived]) => arrived + offset - born)),
        added: other ? added(arrivals(samples), arrivals(other.samples)) : null,
      };
    });
  }

  /** Births and arrivals by path and transport, for the export. */
  samples() {
    return [...this.#readers.values()].map(({ report, samples }) => ({
      path: report.path,
      transport: report.kind,
      seq: samples.map(([seq]) => seq),
      born: samples.map(([, born]) => born),
      arrived: samples.map(([, , arrived]) => Number(arrived.toFixed(3))),
    }));
  }
}

/**
 * The verdict on the furthest path there is; null before both transports are there.
 *
 * @param {Side[]} sides
 */
export function judge(sides) {
  const path = sides.some((side) => side.path === VIA) ? VIA : HERE;
  const ws = sides.find((side) => side.path === path && side.kind === "ws");
  const sse = sides.find((side) => side.path === path && side.kind === "sse");
  return ws && sse ? verdict(ws.figures, sse.figures) : null;
}

/**
 * What the proxy adds, in words; empty without one.
 *
 * @param {Side[]} sides
 */
export function toll(sides) {
  const told = sides.filter((side) => side.added !== null);
  if (told.length === 0) return "";
  const costs = told.map((side) => `${number(side.added ?? 0)} ms to ${side.name}`);
  const adds = told.every((side) => (side.added ?? 0) >= 0);
  // Less than nothing: the page itself came through a proxy, and the other way is the direct one.
  return `${adds ? "The proxy" : "The other way"} adds ${costs.join(" and ")}.`;
}

/** @param {[seq: number, born: number, arrived: number][]} samples */
function arrivals(samples) {
  return new Map(samples.map(([seq, , arrived]) => [seq, arrived]));
}

/** @param {[seq: number, born: number, arrived: number][][]} all */
function inAll(all) {
  const counts = new Map();
  for (const samples of all) for (const [seq] of samples) counts.set(seq, (counts.get(seq) ?? 0) + 1);
  return new Set([...counts].filter(([, count]) => count === all.length).map(([seq]) => seq));
}
