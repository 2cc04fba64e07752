import { CrewError, lost } from "./errors.ts";
import { SUBPROTOCOL, type Ack, type Frame, type Refusal } from "./protocol.ts";
import type { Address, Connection, Limits, Query, Transport } from "./transport.ts";

/** On one socket, as many as the sidecar takes. */
const SUBSCRIPTIONS = 256;

interface Subscription {
  /** Of the ack that is still awaited, null for the one in the URL. What comes before it is of an earlier subscription. */
  id?: string | null | undefined;
  readonly take: (frame: Frame) => void;
  readonly reject: (error: unknown) => void;
}

interface SharedSocket {
  /** By run. It is closed with the last. */
  readonly subscriptions: Map<string, Subscription>;
  /** When it last spoke, or was dialled (`Date.now`). */
  heard: number;
  subscribe(query: Query, id: string | null, take: Subscription["take"], signal: AbortSignal): Connection;
}

/**
 * One socket for all runs, where they are not too many, and for commands. Another is dialled beside it for a
 * run that it has already, so that who mistrusts a socket gets a fresh one, and where it has long been silent.
 */
export function webSocketTransport(address: Address, Socket: typeof WebSocket, limits: Limits): Transport {
  const sockets = new Set<SharedSocket>();
  let ids = 0;

  function dial(query: Query): SharedSocket {
    /** Commands without their ack: no more than the client lets be (`limits.outstanding`). */
    const waiting = new Map<string | null, (reply: Ack | Refusal) => void>();
    const subscriptions: SharedSocket["subscriptions"] = new Map();
    const closing = new AbortController();
    /** Until it opens: at most two per subscription. */
    const unsent: string[] = [];
    let socket: WebSocket | undefined;

    const write = (json: string): unknown => (socket?.readyState === 1 ? socket.send(json) : unsent.push(json));

    const connect = async (): Promise<void> => {
      const url = new URL(await address("/ws", query), globalThis.location?.href);
      url.protocol = url.protocol.replace("http", "ws");
      closing.signal.throwIfAborted();
      // Throws where there is none at all, a policy against it, or ws: from an https: page.
      socket = new Socket(url, SUBPROTOCOL);
      closing.signal.addEventListener("abort", () => socket!.close());
      socket.onopen = () => unsent.forEach(write);
      socket.onmessage = ({ data }: MessageEvent<string>) => {
        shared.heard = Date.now();
        const frame = JSON.parse(data) as Frame | Ack | Refusal;
        if (frame.type !== "command.ack") {
          const subscription = subscriptions.get(frame.run!);
          if (!subscription || subscription.id) return;
          subscription.id = undefined;
          return subscription.take(frame);
        }
        const subscription = [...subscriptions.values()].find(({ id }) => id === frame.id);
        if (!subscription) return waiting.get(frame.id)?.(frame);
        subscription.id = undefined;
        if (!frame.ok) subscription.reject(new CrewError(frame.error));
      };
      socket.onclose = ({ code, reason }: CloseEvent) =>
        end(
          // "Do not come back"; all others, also those of RFC 6455, may.
          code >= 4500 &&
            code < 5000 &&
            new CrewError({ code: "closed", message: reason || `Closed by the sidecar (${code}).`, temporary: false }),
        );
    };

    function end(error?: unknown): void {
      sockets.delete(shared);
      for (const { reject } of subscriptions.values()) reject(error);
      subscriptions.clear();
      closing.abort();
    }

    const shared: SharedSocket = {
      subscriptions,
      heard: Date.now(),
      subscribe({ run, after }, id, take, signal) {
        if (id) write(JSON.stringify({ id, cmd: "subscribe", run, after }));
        signal.addEventListener("abort", () => {
          if (!subscriptions.delete(run)) return;
          if (subscriptions.size) write(JSON.stringify({ id: `s${ids++}`, cmd: "unsubscribe", run }));
          else end();
        });
        return {
          done: new Promise((_, reject) => subscriptions.set(run, { id, take, reject })),
          send: (id, json, until) =>
            new Promise((resolve, reject) => {
              waiting.set(id, resolve);
              until.addEventListener("abort", () => waiting.delete(id));
              closing.signal.addEventListener("abort", () => reject(lost()), { signal: until });
              write(json);
            }),
        };
      },
    };
    sockets.add(shared);
    connect().catch(end);
    return shared;
  }

  return {
    name: "ws",
    open(query, take, signal) {
      const shared = [...sockets].find(
        ({ subscriptions, heard }) =>
          !subscriptions.has(query.run) && subscriptions.size < SUBSCRIPTIONS && Date.now() - heard < limits.silence,
      );
      return shared
        ? shared.subscribe(query, `s${ids++}`, take, signal)
        : dial(query).subscribe(query, null, take, signal);
    },
  };
}
