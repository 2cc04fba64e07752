/** This machine's clock, and the sidecar's as seen from here. */

/**
 * @typedef {object} Clock
 * @property {number} offset ms that the sidecar's clock is ahead of this one
 * @property {number | null} error give or take so many ms; null: nobody answered, and the offset is unknown
 * @property {number} pings how many were answered
 * @property {number} step ms between two readings of this clock that differ
 */

const PINGS = 12;
/** Bound of all pings over one transport (ms). */
const PATIENCE = 2_000;

/** Unix ms by the browser's finest clock. */
export function now() {
  return performance.timeOrigin + performance.now();
}

/** An id that no other client mints; randomUUID would need a secure context. */
export function commandId() {
  return `compare-${crypto.getRandomValues(new Uint32Array(3)).join("-")}`;
}

/**
 * Asks for the time over both transports. What counts is the ping with the shortest round trip, which
 * leaves the least room for error (Cristian, "Probabilistic clock synchronization", 1989).
 *
 * @param {URL} base where the routes are
 * @returns {Promise<Clock>}
 */
export async function readClock(base) {
  /** @type {Clock} */
  const clock = { offset: 0, error: null, pings: 0, step: step() };
  const note = (/** @type {number} */ sent, /** @type {string} */ ack) => {
    const error = (now() - sent) / 2;
    clock.pings += 1;
    if (clock.error !== null && clock.error <= error) return;
    clock.error = error;
    clock.offset = JSON.parse(ack).result.server_time - (sent + error);
  };
  for (const ping of [pingByPost, pingBySocket]) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), PATIENCE);
    // A transport that does not get through is told by its reader.
    await ping(base, stop.signal, note).catch(() => {});
    clearTimeout(timer);
  }
  return clock;
}

/** @typedef {(sent: number, ack: string) => void} Note */

/** @param {URL} base @param {AbortSignal} signal @param {Note} note */
async function pingByPost(base, signal, note) {
  const headers = { "Content-Type": "application/json" };
  for (let count = 0; count < PINGS; count += 1) {
    const sent = now();
    const response = await fetch(new URL("control", base), { method: "POST", headers, body: ping(), signal });
    note(sent, await response.text());
  }
}

/** @param {URL} base @param {AbortSignal} signal @param {Note} note @returns {Promise<void>} */
function pingBySocket(base, signal, note) {
  const url = new URL("ws", base);
  url.protocol = url.protocol.replace("http", "ws");
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, "crew.v1");
    let sent = 0;
    let count = 0;
    const send = () => {
      sent = now();
      socket.send(ping());
    };
    socket.onopen = send;
    socket.onmessage = ({ data }) => {
      if (JSON.parse(data).type !== "command.ack") return;
      note(sent, data);
      count += 1;
      if (count < PINGS) send();
      else socket.close();
    };
    socket.onclose = () => resolve();
    socket.onerror = () => reject(new Error("no WebSocket"));
    signal.addEventListener("abort", () => {
      socket.close();
      resolve();
    });
  });
}

function ping() {
  return JSON.stringify({ id: commandId(), cmd: "ping" });
}

/** The smallest step that this clock was seen to take: 5 µs where the page is isolated, else 100. */
function step() {
  let least = Infinity;
  for (let count = 0; count < 50; count += 1) {
    const before = performance.now();
    let after = before;
    while (after === before) after = performance.now();
    least = Math.min(least, after - before);
  }
  return least;
}
