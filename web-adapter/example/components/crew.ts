import { createCrewClient } from "crew-web-adapter";

/** The page's one client. `?transport=ws` or `?transport=sse` holds it to that one. */
export const crew = createCrewClient({
  url: process.env.NEXT_PUBLIC_CREW_URL ?? "http://127.0.0.1:8770",
  transport: transportOf(typeof window === "undefined" ? "" : window.location.search),
});

function transportOf(query: string): "auto" | "ws" | "sse" {
  const wanted = new URLSearchParams(query).get("transport");
  return wanted === "ws" || wanted === "sse" ? wanted : "auto";
}
