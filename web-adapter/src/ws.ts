import { busy, CrewError, lost, unreachable } from "./errors.ts";
import { SUBPROTOCOL, type Ack, type Frame, type Refusal } from "./protocol.ts";
import { deadline } from "./timer.ts";
import { place, type Connection, type Limits, type Transport } from "./transport.ts";

/** Close codes 4500-4999 mean "do not come back"; all others, also those of RFC 6455, may. */
const isForGood = (code: number): boolean => code >= 4500 && code < 5000;

/** `base`: the sidecar's http(s) address, without a slash at the end. Commands travel on the same socket. */
export function webSocketTransport(base: string, Socket: typeof WebSocket, limits: Limits): Transport {
  const connect: Transport["connect"] = (run, after, signal) =>
    new Promise((resolve, reject) => {
      const url = new URL(`${base}/ws${place(run, after)}`, globalThis.location?.href);
      url.protocol = url.protocol.replace("http", "ws");
      let socket: WebSocket;
      try {
        socket = new Socket(url, SUBPROTOCOL);
      } catch {
        // None at all, a policy against it, or ws: from an https: page.
        return reject(unreachable(base));
      }
      const watch = deadline(signal);
      const inbox = createInbox(limits.inbox);
      const waiting = new Map<string, (reply: Ack | Refusal | CrewError) => void>();
      let opened = false;
      let over = false;

      const finish = (error?: unknown) => {
        if (over) return;
        over = true;
        watch.stop();
        socket.close();
        inbox.end(error);
        for (const settle of waiting.values()) settle(lost());
        reject(error);
      };

      watch.arm(limits.open, unreachable(base));
      watch.signal.addEventListener("abort", () => finish(watch.signal.reason));
      if (signal.aborted) finish(signal.reason);

      socket.onmessage = ({ data }: MessageEvent<string>) => {
        if (over) return;
        const frame = JSON.parse(data) as Frame | Ack | Refusal;
        watch.arm(limits.silence, lost());
        if (frame.type === "command.ack") {
          if (frame.id !== null) waiting.get(frame.id)?.(frame);
          // An ack to no command of ours, before anything else, answers the subscription in the URL.
          else if (!opened && !frame.ok) finish(new CrewError(frame.error));
          return;
        }
        if (!opened) {
          opened = true;
          resolve(connection);
        }
        if (!inbox.push(frame)) finish(lost());
        else if (frame.type === "stream.end") finish();
      };
      socket.onclose = ({ code, reason }: CloseEvent) =>
        finish(
          isForGood(code)
            ? new CrewError({ code: "closed", message: reason || `Closed by the sidecar (${code}).`, temporary: false })
            : opened
              ? lost()
              : unreachable(base),
        );

      const connection: Connection = {
        frames: inbox,
        close: finish,
        command: (id, json) =>
          new Promise((resolve, reject) => {
            if (over) return reject(lost());
            if (waiting.size >= limits.outstanding) return reject(busy());
            const settle = (reply: Ack | Refusal | CrewError) => {
              clearTimeout(timer);
              waiting.delete(id);
              if (reply instanceof CrewError) reject(reply);
              else resolve(reply);
            };
            const timer = setTimeout(settle, limits.ack, lost());
            waiting.set(id, settle);
            socket.send(json);
          }),
      };
    });
  return { name: "ws", connect };
}

/** From callbacks to iteration, with a bound. One reader. */
function createInbox(limit: number) {
  let frames: Frame[] = [];
  let ended = false;
  let failure: unknown;
  let wake: (() => void) | undefined;
  return {
    push(frame: Frame): boolean {
      frames.push(frame);
      wake?.();
      return frames.length <= limit;
    },
    end(error: unknown): void {
      ended = true;
      failure = error;
      wake?.();
    },
    async *[Symbol.asyncIterator](): AsyncGenerator<Frame, void> {
      for (;;) {
        const batch = frames;
        frames = [];
        yield* batch;
        if (frames.length > 0) continue;
        if (failure !== undefined) throw failure;
        if (ended) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}
