import type { Frame } from "./protocol.ts";
import { createSseParser } from "./sse.ts";
import type { Ask, Transport } from "./transport.ts";

/**
 * Server-sent events read with fetch: unlike a native EventSource it sees status codes, so that an
 * unknown run, a refusal and an ended stream (204) are told apart from a broken network.
 */
export function fetchSseTransport(ask: Ask): Transport {
  const read = async (...[query, take, signal]: Parameters<Transport["open"]>): Promise<void> => {
    const { status, body } = await ask("/sse", query, signal);
    if (status === 204) return;
    const reader = body!.getReader();
    const parse = createSseParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw undefined;
      for (const data of parse(value)) take(JSON.parse(data) as Frame);
    }
  };
  return { name: "sse", open: (...call) => ({ done: read(...call) }) };
}
