import { createCrewClient } from "crew-web-adapter";

const url = process.env.NEXT_PUBLIC_CREW_URL ?? "http://127.0.0.1:8770";

/** The page's one client. `?transport=ws` or `?transport=sse` holds it to that one. */
export const crew = createCrewClient({
  url,
  transport: transportOf(typeof window === "undefined" ? "" : window.location.search),
});

/** For people: where the sidecar is, and what starts it; "" is where this very page is from. */
export const sidecar = {
  address: (): string => url || window.location.origin,
  start: url ? "make serve" : "crew-sidecar",
} as const;

function transportOf(query: string): "auto" | "ws" | "sse" {
  const wanted = new URLSearchParams(query).get("transport");
  return wanted === "ws" || wanted === "sse" ? wanted : "auto";
}
