// A WebSocket as far as a look at the sidecar needs one (RFC 6455): Node 20 has none of its own.
import { createHash, randomBytes } from "node:crypto";
import { clientFor, deadline, parsed } from "./http.js";

/** Section 1.3: what a server joins to the key. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 1;
const CLOSE = 8;

/** Bytes of an answer that is no WebSocket. */
const MOST = 64 * 1024;

/** The handshake was answered like any other request. */
export class NoUpgrade extends Error {
  /** @param {import("./http.js").Answer} answer */
  constructor(answer) {
    super("no upgrade");
    this.answer = answer;
  }
}

/**
 * Opens one, sends the commands, and hands every frame to `take` until that returns true. Rejects
 * with an AbortError once `wait` is over.
 *
 * @param {URL} url http or https
 * @param {{ protocol: string, origin: string | undefined, commands: readonly object[], wait: number }} options
 * @param {(frame: any) => boolean} take
 * @returns {Promise<{ ms: number }>} until it was open
 */
export async function talk(url, { protocol, origin, commands, wait }, take) {
  const signal = deadline(wait);
  const begun = performance.now();
  const { socket, head } = await shakeHands(url, protocol, origin, signal);
  const ms = performance.now() - begun;
  try {
    await new Promise((resolve, reject) => {
      const feed = reader(({ opcode, payload }) => {
        if (opcode === CLOSE) reject(new Error("it is closed again at once"));
        const frame = opcode === TEXT ? parsed(payload.toString()) : undefined;
        if (frame && take(frame)) resolve(undefined);
      });
      socket.on("data", feed);
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("it is cut again at once")));
      signal.addEventListener("abort", () => reject(timedOut()));
      feed(head);
      for (const command of commands) socket.write(masked(JSON.stringify(command)));
    });
  } finally {
    socket.destroy();
  }
  return { ms };
}

/**
 * Section 4.1.
 *
 * @param {URL} url
 * @param {string} protocol
 * @param {string | undefined} origin
 * @param {AbortSignal} signal
 * @returns {Promise<{ socket: import("node:stream").Duplex, head: Buffer }>}
 */
function shakeHands(url, protocol, origin, signal) {
  const key = randomBytes(16).toString("base64");
  const accept = createHash("sha1")
    .update(key + GUID)
    .digest("base64");
  const headers = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": key,
    "sec-websocket-protocol": protocol,
    ...(origin && { origin }),
  };
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const request = clientFor(url).request(url, { agent: false, headers, signal });
    request.on("error", reject);
    request.on("upgrade", (response, socket, head) => {
      const broken =
        response.headers["sec-websocket-accept"] !== accept
          ? "the handshake is answered by something that speaks no WebSocket"
          : response.headers["sec-websocket-protocol"] !== protocol
            ? `the subprotocol ${protocol} is lost on the way`
            : undefined;
      if (broken === undefined) return resolve({ socket, head });
      socket.destroy();
      reject(new Error(broken));
    });
    request.on("response", (response) => {
      let text = "";
      response.on("data", (chunk) => text.length < MOST && (text += chunk));
      response.on("error", reject);
      response.on("end", () =>
        reject(
          new NoUpgrade({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            ms: performance.now() - begun,
          }),
        ),
      );
    });
    request.end();
  });
}

const timedOut = () => Object.assign(new Error("it is mute"), { name: "AbortError" });

/**
 * Section 5.2. The sidecar never splits a message over frames.
 *
 * @param {(frame: { opcode: number, payload: Buffer }) => void} tell
 * @returns {(chunk: Buffer) => void}
 */
function reader(tell) {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      if (rest.length < 2) return;
      const short = rest.readUInt8(1) & 0x7f;
      const head = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (rest.length < head) return;
      const size = head === 10 ? Number(rest.readBigUInt64BE(2)) : head === 4 ? rest.readUInt16BE(2) : short;
      if (rest.length < head + size) return;
      const frame = { opcode: rest.readUInt8(0) & 0x0f, payload: rest.subarray(head, head + size) };
      rest = rest.subarray(head + size);
      tell(frame);
    }
  };
}

/**
 * Section 5.3: what a client sends is masked.
 *
 * @param {string} text of at most 125 bytes, or up to 64 KiB
 */
function masked(text) {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const size = payload.length > 125 ? [126, payload.length >> 8, payload.length & 0xff] : [payload.length];
  const head = Buffer.from([0x80 | TEXT, 0x80 | (size[0] ?? 0), ...size.slice(1)]);
  return Buffer.concat([head, mask, payload.map((byte, n) => byte ^ mask.readUInt8(n % 4))]);
}
