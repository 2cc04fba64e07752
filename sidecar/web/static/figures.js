/**
 * Figures of one transport: percentiles, the ECDF, and whether something held events back. Pure.
 *
 * `python -m sidecar compare` computes the same in sidecar/compare/figures.py; both are tested with
 * the same cases (tests/compare/test_figures.py).
 */

/** Arrivals closer together than this came in one piece (ms). */
const CLUMP = 5;

/** Births further apart than this are no one piece; the worker itself merges tokens for 20 ms. */
const HELD = 50;

/**
 * What one transport did. Times in ms; null where nothing was measured.
 *
 * @typedef {object} Figures
 * @property {number} samples how many events came live: what a reconnection replays was late on purpose
 * @property {number | null} p50
 * @property {number | null} p90
 * @property {number | null} p99
 * @property {number | null} max
 * @property {number} held share of the events, 0 to 1, held back until a later one came with them
 * @property {number | null} bytesPerEvent all that the stream carried, framing included
 * @property {number | null} connect from opening the connection to its `stream.hello`
 * @property {number | null} recover from reconnecting after a cut to the first event missed
 * @property {number} lost
 * @property {number} duplicates
 * @property {string | null} failure why it did not get through, in words for a person
 */

/**
 * @typedef {object} Rest what can't be told from births and arrivals; see Figures
 * @property {number | null} [bytesPerEvent]
 * @property {number[]} [connects]
 * @property {number[]} [recoveries]
 * @property {number} [lost]
 * @property {number} [duplicates]
 * @property {string | null} [failure]
 */

/**
 * @param {[born: number, arrived: number][]} samples ms on one clock
 * @param {Rest} [rest]
 * @returns {Figures}
 */
export function figures(samples, rest = {}) {
  const latencies = sorted(samples.map(([born, arrived]) => arrived - born));
  return {
    samples: latencies.length,
    p50: percentile(latencies, 50),
    p90: percentile(latencies, 90),
    p99: percentile(latencies, 99),
    max: latencies.at(-1) ?? null,
    held: heldBack(samples),
    bytesPerEvent: rest.bytesPerEvent ?? null,
    connect: percentile(sorted(rest.connects ?? []), 50),
    recover: percentile(sorted(rest.recoveries ?? []), 50),
    lost: rest.lost ?? 0,
    duplicates: rest.duplicates ?? 0,
    failure: rest.failure ?? null,
  };
}

/** @param {number[]} values */
export function sorted(values) {
  return Float64Array.from(values).sort();
}

/**
 * The smallest value that at least `percent` per cent are not above; null of nothing.
 * Nearest rank, definition 1 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996.
 *
 * @param {ArrayLike<number>} ordered
 * @param {number} percent
 * @returns {number | null}
 */
export function percentile(ordered, percent) {
  if (ordered.length === 0) return null;
  return ordered[Math.max(0, Math.ceil((ordered.length * percent) / 100) - 1)];
}

/**
 * Each distinct value with the share of values, 0 to 1, that are not above it.
 *
 * @param {ArrayLike<number>} ordered
 * @returns {[value: number, share: number][]}
 */
export function ecdf(ordered) {
  /** @type {[number, number][]} */
  const points = [];
  for (let rank = 1; rank <= ordered.length; rank += 1) {
    const value = ordered[rank - 1];
    if (rank === ordered.length || ordered[rank] !== value) points.push([value, rank / ordered.length]);
  }
  return points;
}

/**
 * Share of the events, 0 to 1, that lay somewhere until a later one came with them.
 *
 * A long way makes each event late by itself. What buffers lets those born far apart arrive together.
 *
 * @param {[born: number, arrived: number][]} samples of one connection
 */
export function heldBack(samples) {
  if (samples.length === 0) return 0;
  const ordered = [...samples].sort((a, b) => a[1] - b[1]);
  let held = 0;
  let end = 0;
  for (const [born, arrived] of ordered) {
    while (end < ordered.length && ordered[end][1] < arrived + CLUMP) end += 1;
    if (ordered[end - 1][0] - born >= HELD) held += 1;
  }
  return held / ordered.length;
}

/**
 * The median of how much later the same events arrived on one path than on another (ms); null if
 * there are no such events. Both times are of one clock, so this is exact.
 *
 * @param {Map<number, number>} later arrivals by the events' numbers
 * @param {Map<number, number>} earlier
 */
export function added(later, earlier) {
  const differences = [];
  for (const [seq, arrived] of later) {
    const other = earlier.get(seq);
    if (other !== undefined) differences.push(arrived - other);
  }
  return percentile(sorted(differences), 50);
}
