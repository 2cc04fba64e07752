/** The ECDF of several series of latencies on a canvas, with a logarithmic axis. */

import { ecdf, percentile } from "./figures.js";

/**
 * @typedef {object} Series
 * @property {ArrayLike<number>} ordered latencies in ms, in order
 * @property {string} color
 * @property {boolean} dashed
 */

/**
 * @typedef {object} Look
 * @property {string} paper
 * @property {string} line
 * @property {string} soft
 * @property {string} font family
 */

const LEFT = 42;
const RIGHT = 18;
const TOP = 10;
const BOTTOM = 30;
/** What the number below a tick takes. */
const ROOM = 34;

/** A logarithm has no zero, and a corrected clock may even give less (ms). */
const LEAST = 0.01;
/** What an empty chart shows (ms). */
const EMPTY = [0.1, 100];

/**
 * @param {CanvasRenderingContext2D} context in CSS pixels
 * @param {{width: number, height: number}} size
 * @param {Series[]} series
 * @param {Look} look
 */
export function drawChart(context, { width, height }, series, look) {
  const shown = series.filter(({ ordered }) => ordered.length > 0);
  const [low, high] = range(shown.map(({ ordered }) => ordered));
  const right = width - RIGHT;
  const bottom = height - BOTTOM;
  const span = Math.log10(high / low);
  const x = (/** @type {number} */ ms) =>
    LEFT + Math.max(0, Math.log10(Math.max(ms, LEAST) / low) / span) * (right - LEFT);
  const y = (/** @type {number} */ share) => bottom - share * (bottom - TOP);

  context.save();
  context.lineWidth = 1;
  context.strokeStyle = look.line;
  context.fillStyle = look.soft;
  context.font = `12px ${look.font}`;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    line(context, LEFT, y(share), right, y(share));
    context.fillText(`${share * 100}%`, LEFT - 8, y(share));
  }
  context.textAlign = "center";
  const ticks = steps(low, high);
  const crowded = (right - LEFT) / ticks.length < ROOM;
  for (const ms of ticks) {
    line(context, x(ms), TOP, x(ms), bottom);
    // Where there is no room for all, the powers of ten.
    if (!crowded || /^[01.]+$/.test(String(ms))) context.fillText(String(ms), x(ms), bottom + 18);
  }
  context.lineJoin = "round";
  for (const { ordered, color, dashed } of shown) {
    context.strokeStyle = color;
    context.lineWidth = 2;
    context.setLineDash(dashed ? [5, 4] : []);
    context.beginPath();
    trace(context, ordered, x, y, right);
    context.stroke();
    context.setLineDash([]);
    for (const percent of [50, 99]) {
      context.beginPath();
      context.arc(x(percentile(ordered, percent) ?? 0), y(percent / 100), 4, 0, 2 * Math.PI);
      context.fillStyle = color;
      context.fill();
      context.strokeStyle = look.paper;
      context.stroke();
      context.strokeStyle = color;
    }
  }
  context.restore();
}

/**
 * One step per pixel at most: more of them nobody sees, and a long run has many.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {ArrayLike<number>} ordered
 * @param {(ms: number) => number} x
 * @param {(share: number) => number} y
 * @param {number} right
 */
function trace(context, ordered, x, y, right) {
  let level = y(0);
  let drawn = -Infinity;
  context.moveTo(x(ordered[0]), level);
  for (const [ms, share] of ecdf(ordered)) {
    if (x(ms) - drawn < 0.5 && share < 1) continue;
    drawn = x(ms);
    context.lineTo(drawn, level);
    level = y(share);
    context.lineTo(drawn, level);
  }
  context.lineTo(right, level);
}

/**
 * The axis: what all but the one per cent of fastest events fit in, to whole steps.
 *
 * @param {ArrayLike<number>[]} series
 */
function range(series) {
  if (series.length === 0) return EMPTY;
  const least = Math.min(...series.map((ordered) => percentile(ordered, 1) ?? LEAST));
  const most = Math.max(...series.map((ordered) => ordered[ordered.length - 1]));
  const low = steps(LEAST, 1e9).findLast((step) => step <= least) ?? LEAST;
  return [low, steps(low, 1e9).find((step) => step > low && step >= most) ?? 1e9];
}

/**
 * 1, 2, 5, 10, 20, 50, …
 *
 * @param {number} low
 * @param {number} high
 */
function steps(low, high) {
  const found = [];
  for (let power = -2; power <= 9; power += 1) {
    for (const digit of [1, 2, 5]) {
      const step = Number(`${digit}e${power}`);
      if (step >= low && step <= high) found.push(step);
    }
  }
  return found;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(Math.round(x0) + 0.5, Math.round(y0) + 0.5);
  context.lineTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
  context.stroke();
}
