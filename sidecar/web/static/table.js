/** The figures as a table: a row for each, a column for each transport on each path. */

import { number } from "./verdict.js";
import { VIA } from "./results.js";

/** @typedef {import("./results.js").Side} Side */

/**
 * @typedef {object} Row
 * @property {string} label
 * @property {string} unit
 * @property {(side: Side) => number | null} value
 * @property {boolean} [whole] a count, where 0 is good and anything else is not
 */

/** @type {Row[]} */
export const ROWS = [
  { label: "p50", unit: "ms", value: ({ figures }) => figures.p50 },
  { label: "p90", unit: "ms", value: ({ figures }) => figures.p90 },
  { label: "p99", unit: "ms", value: ({ figures }) => figures.p99 },
  { label: "max", unit: "ms", value: ({ figures }) => figures.max },
  { label: "Proxy adds", unit: "ms", value: ({ added }) => added },
  { label: "Per event", unit: "bytes", value: ({ figures }) => figures.bytesPerEvent && Math.round(figures.bytesPerEvent) },
  { label: "Connect", unit: "ms", value: ({ figures }) => figures.connect },
  { label: "Recover after a cut", unit: "ms", value: ({ figures }) => figures.recover },
  { label: "Lost or twice", unit: "events", value: ({ figures }) => figures.lost + figures.duplicates, whole: true },
];

/** @param {Row} row @param {Side} side */
export function cell(row, side) {
  const value = row.value(side);
  if (value === null) return "–";
  return row.whole || row.unit === "bytes" ? String(value) : number(value);
}

/** Those rows that have something to say of these sides. @param {Side[]} sides */
export function rowsFor(sides) {
  const proxied = sides.some(({ path }) => path === VIA);
  return ROWS.filter(({ label }) => proxied || label !== "Proxy adds");
}

/** WebSocket before SSE, and the page's own path before the other. @param {Side[]} sides */
export function inColumns(sides) {
  return [...sides].sort((a, b) => b.kind.localeCompare(a.kind) || a.path.localeCompare(b.path));
}

/**
 * @param {HTMLTableElement} table
 * @param {Side[]} sides
 */
export function renderTable(table, sides) {
  const columns = inColumns(sides);
  const proxied = columns.some(({ path }) => path === VIA);
  const head = document.createElement("thead");
  const names = head.insertRow();
  names.insertCell();
  for (const side of columns) {
    if (proxied && side.path === VIA) continue;
    const name = heading("col", side.name);
    name.className = side.kind;
    if (proxied) name.colSpan = columns.filter(({ kind }) => kind === side.kind).length;
    names.append(name);
  }
  if (proxied) {
    const paths = head.insertRow();
    paths.insertCell();
    for (const { path } of columns) paths.append(heading("col", path === VIA ? "proxy" : "here"));
  }
  const body = document.createElement("tbody");
  for (const row of rowsFor(columns)) {
    const line = body.insertRow();
    line.className = row === ROWS[0] ? "first" : "";
    const label = heading("row", `${row.label} `);
    const unit = document.createElement("small");
    unit.textContent = row.unit;
    label.append(unit);
    line.append(label);
    for (const side of columns) {
      const data = line.insertCell();
      data.textContent = cell(row, side);
      data.toggleAttribute("data-bad", row.whole === true && row.value(side) !== 0);
    }
  }
  table.replaceChildren(head, body);
}

/** @param {"col" | "row"} scope @param {string} text */
function heading(scope, text) {
  const cell = document.createElement("th");
  cell.scope = scope;
  cell.textContent = text;
  return cell;
}
