import type { RunEvent } from "crew-web-adapter";

interface Page {
  readonly events: readonly RunEvent[];
  /** The cursor that the next page begins behind. */
  readonly next: string | null;
  readonly end: boolean;
}

/** The most that a page has. */
const AT_ONCE = 10_000;

/** All events of a run that the sidecar at `url` keeps, page by page of at most 1 MiB. Rejects as `fetch` does. */
export async function eventsOf(url: string, run: string): Promise<readonly RunEvent[]> {
  const events: RunEvent[] = [];
  for (let after: string | null = null; ;) {
    const query: string = after === null ? "" : `&after=${encodeURIComponent(after)}`;
    const response: Response = await fetch(`${url}/runs/${run}/events?limit=${AT_ONCE}${query}`);
    if (!response.ok) throw new Error(`The sidecar answers ${response.status}.`);
    const page = (await response.json()) as Page;
    events.push(...page.events);
    // A live run's log ends where it is by now.
    if (page.end || page.events.length === 0 || page.next === null) return events;
    after = page.next;
  }
}

/** Has the browser save a text as a file. */
export function save(name: string, type: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  // Not before the browser has taken it, which it does in a task of its own.
  setTimeout(URL.revokeObjectURL, 10_000, link.href);
}
