import { CrewError } from "./errors.ts";
import type { Frame, WireError } from "./protocol.ts";
import { createSseParser } from "./sse.ts";
import type { Address, Transport } from "./transport.ts";

/**
 * Server-sent events read with fetch: unlike a native EventSource it sees status codes, so that an
 * unknown run, a refusal and an ended stream (204) are told apart from a broken network.
 */
export function fetchSseTransport(address: Address, fetch: typeof globalThis.fetch): Transport {
  const read = async (...[query, take, signal]: Parameters<Transport["open"]>): Promise<void> => {
    const { status, body } = await accepted(fetch(await address("/sse", query), { signal }));
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

/** Throws the server's own words where it refuses; what no sidecar said, a proxy's error page, is undefined. */
export async function accepted(answer: Promise<Response>): Promise<Response> {
  const response = await answer;
  if (response.ok) return response;
  const body = (await response.json().catch(() => null)) as { error?: WireError } | null;
  throw body?.error?.code && new CrewError(body.error);
}
