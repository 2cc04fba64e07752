/** What was measured as a file: JSON for programs, a picture for people. */

import { drawChart } from "./chart.js";
import { cell, inColumns, rowsFor } from "./table.js";

/** @typedef {import("./results.js").Side} Side */
/** @typedef {import("./chart.js").Look} Look */
/** @typedef {import("./chart.js").Series} Series */

const WIDTH = 760;
const CHART = 300;
const MARGIN = 32;
const ROW = 26;
/** Pixels per CSS pixel, whatever the screen. */
const SCALE = 2;

/** @param {object} content */
export function saveJson(content) {
  download(new Blob([JSON.stringify(content)], { type: "application/json" }), "json");
}

/**
 * @param {{headline: string, reason: string, caption: string, note: string}} words
 * @param {Side[]} sides
 * @param {Series[]} series
 * @param {Look & {ink: string}} look
 * @param {(side: Side) => string} colorOf
 * @returns {Promise<void>} once it was handed to the browser
 */
export function savePng(words, sides, series, look, colorOf) {
  const canvas = document.createElement("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const columns = inColumns(sides);
  const rows = rowsFor(columns);
  context.font = `12px ${look.font}`;
  const note = wrap(context, words.note, WIDTH - 2 * MARGIN);
  context.font = `15px ${look.font}`;
  const reason = wrap(context, words.reason, WIDTH - 2 * MARGIN);
  const top = MARGIN + 40 + 22 * reason.length + 34;
  const bottom = top + CHART + 24 + ROW * (rows.length + 1);
  canvas.width = WIDTH * SCALE;
  canvas.height = (bottom + 8 + 18 * note.length + MARGIN) * SCALE;
  context.scale(SCALE, SCALE);
  context.fillStyle = look.paper;
  context.fillRect(0, 0, WIDTH, canvas.height);
  const write = (/** @type {string} */ text, /** @type {number} */ x, /** @type {number} */ y) =>
    context.fillText(text, x, y);

  context.textBaseline = "middle";
  context.fillStyle = look.ink;
  context.font = `600 22px ${look.font}`;
  context.fillText(words.headline, MARGIN, MARGIN + 12, WIDTH - 2 * MARGIN);
  context.font = `15px ${look.font}`;
  reason.forEach((line, number) => write(line, MARGIN, MARGIN + 46 + 22 * number));
  context.fillStyle = look.soft;
  context.font = `12px ${look.font}`;
  write(words.caption, MARGIN, top - 12);
  context.translate(MARGIN - 8, top);
  drawChart(context, { width: WIDTH - 2 * MARGIN + 16, height: CHART }, series, look);
  context.translate(8 - MARGIN, CHART + 24 + ROW / 2);

  const right = (/** @type {number} */ column) => WIDTH - MARGIN - 110 * (columns.length - 1 - column);
  context.textAlign = "right";
  columns.forEach((side, column) => {
    context.font = `600 14px ${look.font}`;
    context.fillStyle = colorOf(side);
    write(columns.length > 2 && side.path !== "here" ? "proxy" : side.name, right(column), 0);
  });
  rows.forEach((row, number) => {
    const y = ROW * (number + 1);
    context.font = `14px ${look.font}`;
    context.fillStyle = look.soft;
    context.textAlign = "left";
    write(`${row.label}, ${row.unit}`, MARGIN, y);
    context.fillStyle = look.ink;
    context.textAlign = "right";
    columns.forEach((side, column) => write(cell(row, side), right(column), y));
  });
  context.textAlign = "left";
  context.fillStyle = look.soft;
  context.font = `12px ${look.font}`;
  note.forEach((line, number) => write(line, MARGIN, ROW * (rows.length + 1) + 8 + 18 * number));
  return new Promise((resolve) => {
    canvas.toBlob((blob) => {
      if (blob) download(blob, "png");
      resolve();
    });
  });
}

/** @param {CanvasRenderingContext2D} context @param {string} text @param {number} width */
function wrap(context, text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines[lines.length - 1]} ${word}`.trim();
    if (context.measureText(longer).width > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

/** @param {Blob} blob @param {string} extension */
function download(blob, extension) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `compare-${new Date().toISOString().slice(0, 19).replace(/\D/g, "")}.${extension}`;
  link.click();
  // The click has begun the download with the blob in hand; the name for it may go.
  setTimeout(() => URL.revokeObjectURL(link.href), 0);
}
