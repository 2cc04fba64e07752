import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { gzipSync } from "node:zlib";

/** What a sidecar, or whatever is in front of it, can get wrong. */
export interface Trouble {
  readonly ready?: string;
  readonly origins?: readonly string[];
  /** A proxy answers OPTIONS itself. */
  readonly cors?: "dropped";
  readonly control?: { readonly status: number; readonly code: string };
  readonly ws?: "hangs" | "not found" | "upgrade dropped" | "mute" | "closes" | "other subprotocol";
  readonly sse?: "compressed" | "transformable" | "held back" | "in lumps" | "not found";
  readonly protocol?: number;
  /** Of the one run that there is. */
  readonly run?: "running" | "completed" | "none";
  readonly crews?: readonly string[];
}

const json = (response: ServerResponse, status: number, body: object) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

/** A page of Next's, for what Next does not know. */
export const nextPage = (response: ServerResponse) =>
  response
    .writeHead(404, { "content-type": "text/html", "x-powered-by": "Next.js" })
    .end('<script src="/_next/static/main.js"></script>');

/** A server on a free port that answers as the sidecar does, apart from one trouble. */
export async function troubledSidecar(trouble: Trouble = {}) {
  const { origins = ["http://localhost:3000"], protocol = 1, run = "running", crews = [] } = trouble;
  const commands: Record<string, unknown>[] = [];
  const snapshots = run === "none" ? [] : [{ run: "r_1", finished: run === "completed" ? 1 : null }];
  const hello = { type: "stream.hello", protocol, run: "r_1", epoch: "k3f9", head: 0, state: run, server_time: 0 };
  const isForeign = ({ headers }: IncomingMessage) => headers.origin !== undefined && !origins.includes(headers.origin);
  const forbidden = {
    error: {
      code: "forbidden",
      message: "pages of this origin are not let in; add it to SIDECAR_ORIGINS",
      temporary: false,
    },
  };

  function reply(command: Record<string, unknown>): object {
    commands.push(command);
    const { id, cmd } = command;
    if (trouble.control)
      return {
        type: "command.ack",
        id,
        ok: false,
        error: { code: trouble.control.code, message: "no", temporary: false },
      };
    if (cmd !== "start") return { type: "command.ack", id, ok: true };
    const crew = command["crew"] ?? "default";
    if (crew !== "default" && !crews.some((name) => name === crew))
      return {
        type: "command.ack",
        id,
        ok: false,
        error: { code: "unknown_crew", message: "no such crew", temporary: false },
      };
    snapshots.unshift({ run: `r_${commands.length}`, finished: null });
    return { type: "command.ack", id, ok: true, run: `r_${commands.length}` };
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pathname = new URL(request.url ?? "/", "http://sidecar").pathname.replace(/^\/crew/, "");
    if (isForeign(request)) return void json(response, 403, forbidden);
    if (request.method === "OPTIONS") {
      return void response
        .writeHead(204, trouble.cors ? {} : { "access-control-allow-origin": request.headers.origin })
        .end();
    }
    if (pathname === "/healthz") return void json(response, 200, { ok: true });
    if (pathname === "/readyz")
      return void json(
        response,
        trouble.ready ? 503 : 200,
        trouble.ready ? { ready: false, why: trouble.ready } : { ready: true },
      );
    if (pathname === "/runs") return void json(response, 200, { runs: snapshots });
    if (pathname.startsWith("/runs/"))
      return void json(response, 200, snapshots.find((one) => pathname.endsWith(one.run)) ?? {});
    if (pathname === "/ws")
      return void json(response, 400, {
        error: { code: "bad_request", message: "the request is no upgrade", temporary: false },
      });
    if (pathname === "/sse") return stream(response);
    if (pathname !== "/control") return void nextPage(response);
    let body = "";
    for await (const chunk of request) body += chunk;
    json(response, trouble.control?.status ?? 200, reply(JSON.parse(body)));
  }

  function stream(response: ServerResponse): void {
    if (trouble.sse === "not found") return void nextPage(response);
    const frame = (data: object) => `data: ${JSON.stringify(data)}\n\n`;
    const event = (seq: number, late = 0) => frame({ type: "log", run: "r_1", seq, at: Date.now() - late, data: {} });
    const first = `event: stream.hello\n${frame(hello)}`;
    const headers = {
      "content-type": "text/event-stream",
      "cache-control": trouble.sse === "transformable" ? "no-cache" : "no-cache, no-transform",
    };
    if (trouble.sse === "held back") return;
    if (trouble.sse === "compressed")
      return void response.writeHead(200, { ...headers, "content-encoding": "gzip" }).write(gzipSync(first));
    response.writeHead(200, headers).write(first);
    if (run === "completed")
      return void response.end(event(1) + frame({ type: "stream.end", run: "r_1", id: "k3f9-1" }));
    response.write(
      trouble.sse === "in lumps"
        ? [900, 600, 300, 0].map((late, n) => event(n + 1, late)).join("")
        : event(1) + event(2),
    );
  }

  function upgrade(request: IncomingMessage, socket: Duplex): void {
    // Whoever hangs up early is no trouble of ours.
    socket.on("error", () => {});
    if (trouble.ws === "hangs") return;
    const page = isForeign(request)
      ? JSON.stringify(forbidden)
      : trouble.ws === "upgrade dropped"
        ? '{"error": {"code": "bad_request", "message": "no upgrade"}}'
        : "/_next/";
    if (isForeign(request) || trouble.ws === "not found" || trouble.ws === "upgrade dropped")
      return void socket.end(
        `HTTP/1.1 404 Not Found\r\nContent-Length: ${page.length}\r\nConnection: close\r\n\r\n${page}`,
      );
    const accept = createHash("sha1")
      .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    const subprotocol = trouble.ws === "other subprotocol" ? "chat" : "crew.v1";
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
    );
    if (trouble.ws === "closes") return void socket.write(Buffer.from([0x88, 0]));
    // The sidecar begins with a ping of its own.
    socket.write(Buffer.from([0x89, 0]));
    if (trouble.ws === "mute") return;
    const say = (data: object) => {
      const payload = Buffer.from(JSON.stringify(data));
      socket.write(
        Buffer.concat([
          payload.length < 126
            ? Buffer.from([0x81, payload.length])
            : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255]),
          payload,
        ]),
      );
    };
    socket.on("data", (chunk: Buffer) => {
      for (const command of unmasked(chunk)) {
        say(reply(command));
        if (command["cmd"] === "subscribe") say(hello);
      }
    });
  }

  const server = createServer((request, response) => void answer(request, response));
  server.on("upgrade", upgrade);
  return { ...(await listening(server)), commands };
}

/** Whole frames of a client, none above 64 KiB. */
function* unmasked(data: Buffer): Generator<Record<string, unknown>> {
  for (let at = 0; at < data.length;) {
    const short = data.readUInt8(at + 1) & 0x7f;
    const size = short === 126 ? data.readUInt16BE(at + 2) : short;
    const start = at + (short === 126 ? 4 : 2);
    const mask = data.subarray(start, start + 4);
    const payload = data.subarray(start + 4, start + 4 + size).map((byte, n) => byte ^ mask.readUInt8(n % 4));
    yield JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>;
    at = start + 4 + size;
  }
}

const open: (() => Promise<void>)[] = [];

/** On a free port, until `close` or `closeAll`. */
export async function listening(server: Server): Promise<{ url: string; close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async () => {
    // Upgraded ones included, which `closeAllConnections` leaves alone.
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  open.push(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

export async function closeAll(): Promise<void> {
  await Promise.all(open.map((close) => close()));
}
