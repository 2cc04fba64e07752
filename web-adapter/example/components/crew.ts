import { createCrewClient } from "crew-web-adapter";
import { conversation } from "crew-web-adapter/react";

/** The page's one client. `?transport=ws` or `?transport=sse` holds it to that one. */
export const crew = createCrewClient({
  url: process.env.NEXT_PUBLIC_CREW_URL ?? "http://127.0.0.1:8770",
  transport: transportOf(typeof window === "undefined" ? "" : window.location.search),
});

/** The runs of this tab's conversation. */
export const runs = conversation(crew);

function transportOf(query: string): "auto" | "ws" | "sse" {
  const wanted = new URLSearchParams(query).get("transport");
  return wanted === "ws" || wanted === "sse" ? wanted : "auto";
}
