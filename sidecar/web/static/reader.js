/**
 * One reader of one run over one transport: stamps what arrives, counts, is cut off on the way.
 * The stopwatch, not a client: web-adapter/ is that.
 */

import { now } from "./clock.js";

/** @typedef {"ws" | "sse"} Kind */

/**
 * @typedef {object} Order
 * @property {Kind} kind
 * @property {URL} base where the routes are, with a slash at its end
 * @property {string} run
 * @property {"ts" | "at"} birth the field that says when an event was born (Unix ms, server's clock)
 * @property {string | null} type the only type of event that is timed; null: every one
 * @property {number[]} cuts after how many timed events it is cut off, rising
 * @property {number} away ms that a cut lasts
 */

/** How long a WebSocket may take to open (ms). A proxy that knows none may say nothing for ever. */
const HANDSHAKE = 5_000;

const encoder = new TextEncoder();

export class Reader {
  /** @type {[seq: number, born: number, arrived: number][]} events told live; what a reconnection replays is not */
  samples = [];
  /** @type {number[]} ms from opening a connection to its `stream.hello` */
  connects = [];
  /** @type {number[]} ms from reconnecting after a cut to the first event missed */
  recoveries = [];
  bytes = 0;
  events = 0;
  lost = 0;
  duplicates = 0;
  /** @type {string | null} */
  failure = null;
  /** @type {"connecting" | "replaying" | "live" | "away" | "over"} */
  state = "connecting";

  #seq = 0;
  /** @type {string | null} */
  #cursor = null;
  #openedAt = 0;
  #missed = false;
  #cuts;
  #order;
  #timer = 0;
  /** @type {AbortController} closes the connection that is open */
  #connection = new AbortController();
  /** @type {() => void} */
  #onConnected = () => {};

  /** @param {Order} order */
  constructor(order) {
    this.#order = order;
    this.#cuts = [...order.cuts];
    /** Resolved at the first hello, or when there will be none. @type {Promise<void>} */
    this.connected = new Promise((resolve) => (this.#onConnected = resolve));
    this.#open();
  }

  /** Drop the connection without a word, and come back with the cursor. */
  cut() {
    if (this.state !== "live") return;
    this.#connection.abort();
    this.state = "away";
    this.#timer = setTimeout(() => this.#open(), this.#order.away);
  }

  /** @param {string | null} failure null: it was stopped, or has come to the run's end */
  end(failure = null) {
    if (this.state === "over") return;
    this.state = "over";
    this.failure = failure;
    clearTimeout(this.#timer);
    this.#connection.abort();
    this.#onConnected();
  }

  #open() {
    const { kind, base, run } = this.#order;
    const url = new URL(kind, base);
    url.searchParams.set("run", run);
    if (this.#cursor !== null) url.searchParams.set("after", this.#cursor);
    const connection = new AbortController();
    this.#connection = connection;
    this.#missed = this.state === "away";
    this.state = "connecting";
    this.#openedAt = now();
    const take = (/** @type {string[]} */ texts, /** @type {number} */ arrived, /** @type {number} */ bytes) => {
      if (!connection.signal.aborted) this.#take(texts, arrived, bytes);
    };
    const read = kind === "ws" ? readSocket : readStream;
    read(url, connection.signal, take).then(
      () => "it was closed before the run had ended",
      (error) => (error instanceof Error ? error.message : String(error)),
    ).then((failure) => {
      if (!connection.signal.aborted) this.end(failure);
    });
  }

  /** @param {string[]} texts @param {number} arrived @param {number} bytes */
  #take(texts, arrived, bytes) {
    this.bytes += bytes;
    for (const text of texts) {
      const frame = JSON.parse(text);
      if (frame.type === "stream.end") return this.end();
      if (frame.type === "command.ack") return this.end(refused(frame.error));
      if ("id" in frame && "seq" in frame) this.#note(frame, arrived);
      else if (frame.type === "stream.live") this.state = "live";
      else if (frame.type === "stream.hello") {
        this.connects.push(arrived - this.#openedAt);
        this.state = "replaying";
        this.#onConnected();
      }
    }
    // Not in the midst of what came together: a proxy that held everything back has nothing to cut.
    if (this.samples.length >= this.#cuts[0]) {
      this.#cuts.shift();
      this.cut();
    }
    return undefined;
  }

  /** @param {{type: string, seq: number, id: string, ts: number, at: number}} event @param {number} arrived */
  #note(event, arrived) {
    this.events += 1;
    if (event.seq <= this.#seq) {
      this.duplicates += 1;
      return;
    }
    this.lost += event.seq - this.#seq - 1;
    this.#seq = event.seq;
    this.#cursor = event.id;
    const { type, birth } = this.#order;
    if (this.state === "live") {
      if (type === null || event.type === type) this.samples.push([event.seq, event[birth], arrived]);
    } else if (this.#missed) {
      this.#missed = false;
      this.recoveries.push(arrived - this.#openedAt);
    }
  }
}

/**
 * Frames of a WebSocket until it closes. Rejects when it does not open.
 *
 * @param {URL} url
 * @param {AbortSignal} signal
 * @param {(texts: string[], arrived: number, bytes: number) => void} take
 * @returns {Promise<void>}
 */
function readSocket(url, signal, take) {
  url.protocol = url.protocol.replace("http", "ws");
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, "crew.v1");
    const timer = setTimeout(() => {
      reject(new Error(`it did not open within ${HANDSHAKE / 1000} s`));
      socket.close();
    }, HANDSHAKE);
    let opened = false;
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      socket.close();
    });
    socket.onopen = () => {
      opened = true;
      clearTimeout(timer);
    };
    socket.onmessage = (message) => {
      const arrived = now();
      take([message.data], arrived, frameSize(encoder.encode(message.data).length));
    };
    socket.onclose = ({ code }) => {
      clearTimeout(timer);
      if (opened) resolve();
      else reject(new Error(`it could not be opened (${code})`));
    };
  });
}

/**
 * Frames of an SSE response until it ends. Rejects when it is refused or breaks.
 *
 * @param {URL} url
 * @param {AbortSignal} signal
 * @param {(texts: string[], arrived: number, bytes: number) => void} take
 */
async function readStream(url, signal, take) {
  const response = await fetch(url, { signal, headers: { Accept: "text/event-stream" } }).catch(() => {
    throw new Error("there was no answer, or none that this page may read");
  });
  if (response.status !== 200 || response.body === null) {
    const body = await response.json().catch(() => null);
    throw new Error(body?.error ? refused(body.error) : `it was answered with ${response.status}`);
  }
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const arrived = now();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    take(blocks.flatMap(dataOf), arrived, chunkSize(value.byteLength));
  }
}

/** @param {string} block lines of one server-sent event @returns {string[]} its data, if it has any */
function dataOf(block) {
  const data = block.split("\n").filter((line) => line.startsWith("data: "));
  return data.length === 0 ? [] : [data.map((line) => line.slice("data: ".length)).join("\n")];
}

/** @param {{code: string, message: string}} error */
function refused({ code, message }) {
  // The run was there a moment ago.
  return code === "unknown_run" ? "it leads to another sidecar, which does not know this run" : message;
}

/** Bytes of an unmasked, uncompressed WebSocket frame (RFC 6455 section 5.2). @param {number} payload */
function frameSize(payload) {
  return payload + (payload < 126 ? 2 : payload < 65_536 ? 4 : 10);
}

/**
 * Bytes of a chunk of HTTP/1.1 (RFC 9112 section 7.1). A page does not see chunks; what it reads at
 * once came in one, or rarely in more.
 *
 * @param {number} data
 */
function chunkSize(data) {
  return data + data.toString(16).length + 4;
}
