import { CrewError, lost } from "./errors.ts";
import { SUBPROTOCOL, type Ack, type Frame, type Refusal } from "./protocol.ts";
import type { Address, Transport } from "./transport.ts";

/** Commands travel on the same socket. */
export function webSocketTransport(address: Address, Socket: typeof WebSocket): Transport {
  const open: Transport["open"] = (query, take, signal) => {
    const waiting = new Map<string | null, (reply: Ack | Refusal) => void>();
    let socket: WebSocket;

    const connect = async (): Promise<void> => {
      const url = new URL(await address("/ws", query), globalThis.location?.href);
      url.protocol = url.protocol.replace("http", "ws");
      signal.throwIfAborted();
      // Throws where there is none at all, a policy against it, or ws: from an https: page.
      socket = new Socket(url, SUBPROTOCOL);
      signal.addEventListener("abort", () => socket.close());
      await new Promise((_, reject) => {
        // An ack to no command of ours, before anything else, answers the subscription in the URL.
        waiting.set(null, (reply) => !reply.ok && reject(new CrewError(reply.error)));
        socket.onmessage = ({ data }: MessageEvent<string>) => {
          const frame = JSON.parse(data) as Frame | Ack | Refusal;
          if (frame.type === "command.ack") return waiting.get(frame.id)?.(frame);
          waiting.delete(null);
          take(frame);
        };
        socket.onclose = ({ code, reason }: CloseEvent) =>
          reject(
            // "Do not come back"; all others, also those of RFC 6455, may.
            code >= 4500 && code < 5000
              ? new CrewError({
                  code: "closed",
                  message: reason || `Closed by the sidecar (${code}).`,
                  temporary: false,
                })
              : undefined,
          );
      });
    };

    return {
      done: connect(),
      send: (id, json, until) =>
        new Promise((resolve, reject) => {
          waiting.set(id, resolve);
          until.addEventListener("abort", () => waiting.delete(id));
          signal.addEventListener("abort", () => reject(lost()), { signal: until });
          socket.send(json);
        }),
    };
  };
  return { name: "ws", open };
}
