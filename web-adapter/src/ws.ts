import { busy, CrewError, lost } from "./errors.ts";
import { SUBPROTOCOL, type Ack, type Frame, type Refusal } from "./protocol.ts";
import type { Limits, Transport } from "./transport.ts";

/** `base`: the sidecar's http(s) address, without a slash at the end. Commands travel on the same socket. */
export function webSocketTransport(base: string, Socket: typeof WebSocket, limits: Limits): Transport {
  const open: Transport["open"] = (query, take, signal) => {
    const waiting = new Map<string, (reply: Ack | Refusal) => void>();
    let socket: WebSocket;
    const done = new Promise<void>((_, reject) => {
      const url = new URL(`${base}/ws${query}`, globalThis.location?.href);
      url.protocol = url.protocol.replace("http", "ws");
      // Throws where there is none at all, a policy against it, or ws: from an https: page.
      socket = new Socket(url, SUBPROTOCOL);
      let opened = false;
      signal.addEventListener("abort", () => socket.close());
      socket.onmessage = ({ data }: MessageEvent<string>) => {
        const frame = JSON.parse(data) as Frame | Ack | Refusal;
        if (frame.type !== "command.ack") {
          opened = true;
          take(frame);
        } else if (frame.id !== null) waiting.get(frame.id)?.(frame);
        // An ack to no command of ours, before anything else, answers the subscription in the URL.
        else if (!opened && !frame.ok) reject(new CrewError(frame.error));
      };
      socket.onclose = ({ code, reason }: CloseEvent) =>
        reject(
          // "Do not come back"; all others, also those of RFC 6455, may.
          code >= 4500 && code < 5000
            ? new CrewError({ code: "closed", message: reason || `Closed by the sidecar (${code}).`, temporary: false })
            : lost(),
        );
    });
    return {
      done,
      send: (id, json, until) =>
        new Promise((resolve, reject) => {
          if (waiting.size >= limits.outstanding) return reject(busy());
          waiting.set(id, resolve);
          until.addEventListener("abort", () => {
            waiting.delete(id);
            reject(until.reason);
          });
          signal.addEventListener("abort", () => reject(lost()), { signal: until });
          socket.send(json);
        }),
    };
  };
  return { name: "ws", open };
}
