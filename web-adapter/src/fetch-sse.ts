import { CrewError, lost, unreachable } from "./errors.ts";
import type { Frame, WireError } from "./protocol.ts";
import { createSseParser } from "./sse.ts";
import type { Transport } from "./transport.ts";

/**
 * Server-sent events read with fetch: unlike a native EventSource it sees status codes, so that an
 * unknown run, a refusal and an ended stream (204) are told apart from a broken network.
 */
export function fetchSseTransport(base: string, fetch: typeof globalThis.fetch): Transport {
  async function read(query: string, take: (frame: Frame) => void, signal: AbortSignal): Promise<void> {
    const response = await fetch(`${base}/sse${query}`, { headers: { accept: "text/event-stream" }, signal });
    if (!response.ok) throw await refusal(response, base);
    if (response.status === 204) return;
    const reader = response.body!.getReader();
    const parser = createSseParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw lost();
      for (const { data } of parser.feed(value)) take(JSON.parse(data) as Frame);
    }
  }
  return { name: "sse", open: (...call) => ({ done: read(...call) }) };
}

/** The server's own words where it has any; a proxy's error page is nobody's. */
export async function refusal(response: Response, base: string): Promise<CrewError> {
  const body = (await response.json().catch(() => null)) as { error?: WireError } | null;
  return body?.error?.code ? new CrewError(body.error) : unreachable(base);
}
