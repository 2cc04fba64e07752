/**
 * Which transport serves better, and why, in one sentence. Pure.
 *
 * `python -m sidecar compare` says the same words (sidecar/compare/verdict.py); both are tested with
 * the same cases (tests/compare/test_verdict.py).
 */

/** @typedef {import("./figures.js").Figures} Figures */
/** @typedef {[name: string, side: Figures][]} Sides */

/**
 * @typedef {object} Verdict
 * @property {"nothing" | "broken" | "lossy" | "buffered" | "faster" | "equal"} kind
 * @property {string} headline
 * @property {string} reason
 * @property {string} text both, as one sentence
 */

/**
 * ms of difference that count: below 1 ms the order in which two sockets are read decides, and a slow
 * tenth nobody sees before it costs a picture of a 60 Hz screen. Both are a quarter of the slower at
 * least, since what is flooded varies more. (p99 rests on too few events to decide anything.)
 *
 * @type {["p50" | "p90", number][]}
 */
const NOTICED = [["p50", 1], ["p90", 1000 / 60]];
const SHARE = 0.25;

/** A stall of the whole machine clumps some events; what buffers clumps most. */
const MOST_HELD = 0.5;

const FIX =
  "pass `Cache-Control: no-transform` and `X-Accel-Buffering: no` on, and switch compression off";

/**
 * The first of these that holds: broken, lossy, nothing, buffered, faster, equal.
 *
 * @param {Figures} ws
 * @param {Figures} sse
 * @returns {Verdict}
 */
export function verdict(ws, sse) {
  /** @type {Sides} */
  const sides = [["WebSocket", ws], ["SSE", sse]];
  return broken(sides) ?? lossy(sides) ?? nothing(sides) ?? buffered(sides) ?? compared(ws, sse);
}

/**
 * @param {Verdict["kind"]} kind
 * @param {string} headline
 * @param {string} reason
 * @returns {Verdict}
 */
function say(kind, headline, reason) {
  return { kind, headline, reason, text: `${headline}: ${reason}.` };
}

/** @param {Sides} sides */
function broken(sides) {
  const failed = sides.filter(([, side]) => side.failure !== null);
  if (failed.length === 0) return null;
  const working = sides.filter(([, side]) => side.failure === null);
  const headline = working.length > 0 ? `Only ${working[0][0]} gets through here` : "Nothing gets through here";
  return say("broken", headline, failed.map(([name, side]) => `${name} failed: ${side.failure}`).join("; "));
}

/** @param {Sides} sides */
function lossy(sides) {
  const faults = [];
  for (const [name, side] of sides) {
    if (side.lost) faults.push(`${name} lost ${events(side.lost)}`);
    if (side.duplicates) faults.push(`${name} told ${events(side.duplicates)} twice`);
  }
  if (faults.length === 0) return null;
  return say("lossy", faults.join(", "), "that must never happen; please report it");
}

/** @param {Sides} sides */
function nothing(sides) {
  if (sides.every(([, side]) => side.samples > 0)) return null;
  return say("nothing", "Too few events came live to compare", "ask for more of them");
}

/** @param {Sides} sides */
function buffered(sides) {
  const held = sides.filter(([, side]) => side.held > MOST_HELD);
  const open = sides.filter(([, side]) => side.held <= MOST_HELD);
  if (held.length === 0) return null;
  const worst = number(Math.max(...held.map(([, side]) => side.max ?? 0)));
  const what = open.length === 0 ? "both transports" : held[0][0];
  const headline = `Buffered! Something between you and the sidecar holds ${what} back`;
  if (open.length === 0) return say("buffered", headline, `events come up to ${worst} ms late, in clumps`);
  const [other, side] = open[0];
  return say(
    "buffered",
    headline,
    `its events come up to ${worst} ms late, in clumps, while ${other} gets through in ` +
      `${number(side.p50 ?? 0)} ms. Take ${other}, or ${FIX}`,
  );
}

/** @param {Figures} ws @param {Figures} sse */
function compared(ws, sse) {
  const cost = extraBytes(ws, sse);
  for (const [name, noticed] of NOTICED) {
    const mine = ws[name] ?? 0;
    const theirs = sse[name] ?? 0;
    const [better, worse] = mine < theirs ? [mine, theirs] : [theirs, mine];
    if (worse - better >= Math.max(noticed, SHARE * worse)) {
      const winner = mine < theirs ? "WebSocket" : "SSE";
      const times = `${name} ${number(better)} against ${number(worse)} ms`;
      return say("faster", `${winner} serves you better here`, `${times}${cost}`);
    }
  }
  const times = `p50 ${number(ws.p50 ?? 0)} / ${number(sse.p50 ?? 0)} ms`;
  return say("equal", "WebSocket and SSE serve you equally here", `${times}${cost}`);
}

/** @param {Figures} ws @param {Figures} sse */
function extraBytes(ws, sse) {
  if (ws.bytesPerEvent === null || sse.bytesPerEvent === null) return "";
  const more = Math.round(sse.bytesPerEvent - ws.bytesPerEvent);
  if (more === 0) return "";
  return `; ${more > 0 ? "SSE" : "WebSocket"} costs ${Math.abs(more)} bytes more per event`;
}

/** @param {number} count */
function events(count) {
  return `${count} event${count === 1 ? "" : "s"}`;
}

/**
 * Three significant digits at most, and never more than two decimals.
 *
 * @param {number} value
 */
export function number(value) {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
