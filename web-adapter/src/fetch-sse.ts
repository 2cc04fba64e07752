import { CrewError, lost, unreachable } from "./errors.ts";
import type { Frame, WireError } from "./protocol.ts";
import { createSseParser } from "./sse.ts";
import { deadline, type Deadline } from "./timer.ts";
import { place, type Connection, type Limits, type Transport } from "./transport.ts";

/**
 * Server-sent events read with fetch: unlike a native EventSource it sees status codes, so that an
 * unknown run, a refusal and an ended stream (204) are told apart from a broken network.
 */
export function fetchSseTransport(base: string, fetch: typeof globalThis.fetch, limits: Limits): Transport {
  return {
    name: "sse",
    async connect(run, after, signal): Promise<Connection> {
      const watch = deadline(signal);
      watch.arm(limits.open, unreachable(base));
      try {
        const response = await fetch(`${base}/sse${place(run, after)}`, {
          headers: { accept: "text/event-stream" },
          signal: watch.signal,
        });
        if (!response.ok) throw await refusal(response, base);
        const frames = response.body && response.status !== 204 ? read(response.body, watch, limits) : nothing();
        return { frames, close: watch.close };
      } catch (error) {
        watch.stop();
        throw watch.reason(error instanceof CrewError ? error : unreachable(base));
      }
    },
  };
}

async function* nothing(): AsyncGenerator<Frame, void> {}

async function* read(body: ReadableStream<Uint8Array>, watch: Deadline, limits: Limits): AsyncGenerator<Frame, void> {
  const reader = body.getReader();
  const parser = createSseParser();
  try {
    for (;;) {
      watch.arm(limits.silence, lost());
      const { done, value } = await reader.read();
      if (done) break;
      for (const { data } of parser.feed(value)) {
        const frame = JSON.parse(data) as Frame;
        yield frame;
        if (frame.type === "stream.end") return;
      }
    }
  } catch {
    throw watch.reason(lost());
  } finally {
    watch.close();
  }
  throw lost();
}

/** The server's own words where it has any; a proxy's error page is nobody's. */
export async function refusal(response: Response, base: string): Promise<CrewError> {
  const body = (await response.json().catch(() => null)) as { error?: WireError } | null;
  return body?.error?.code ? new CrewError(body.error) : unreachable(base);
}
