import type { RunEvent } from "crew-web-adapter";

/** What the sidecar wrote of an export beside its events (sidecar/web/exporting.py). */
export interface About {
  readonly run: string;
  /** Unix ms. */
  readonly exported: number;
  /** Its version. */
  readonly sidecar: string;
  /** The `seq` of the first event that is there; 0: there is none. */
  readonly first: number;
  /** Whether the run had more events than one file takes. */
  readonly cut: boolean;
}

/** null: the file was cut off on its way, for this comes behind all events. */
export function aboutIn(page: ParentNode): About | null {
  const text = page.querySelector("script#about")?.textContent;
  return text ? (JSON.parse(text) as About) : null;
}

/** Piece by piece, each of which is let go once it was read: the page is not to hold them twice. */
export function* eventsIn(page: ParentNode): Generator<RunEvent> {
  for (const piece of page.querySelectorAll("script.events")) {
    yield* JSON.parse(piece.textContent) as RunEvent[];
    piece.remove();
  }
}

/** What a reader has to know of the file, beyond what is in it. `live`: the run had not ended. */
export function remarksOn(about: About | null, live: boolean): readonly string[] {
  if (about === null) return ["This file is not whole: it broke off while it was saved. Export the run again."];
  const when = new Date(about.exported).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return [
    about.cut
      ? "The run is longer than one file takes: this is its beginning."
      : live
        ? `Exported on ${when}, while the run was at work: what came later is not in this file.`
        : `Exported on ${when}.`,
    ...(about.first > 1 ? ["Its beginning is missing: the sidecar did not keep it that long."] : []),
  ];
}
