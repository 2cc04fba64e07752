/** One dispatched block. `event` and `id` only where that very block carried them. */
export interface SseFrame {
  readonly data: string;
  readonly event?: string;
  readonly id?: string;
}

export interface SseParser {
  /** Takes the next bytes, cut anywhere; gives the blocks that they complete. */
  feed(bytes: Uint8Array): SseFrame[];
  /** "Last event ID string" of the stream so far: the cursor to come back with. */
  readonly lastEventId: string;
  /** Reconnection time in ms, where the stream set one. */
  readonly retry: number | undefined;
}

/**
 * Incremental parser of `text/event-stream` (WHATWG HTML section 9.2.6, "Interpreting an event stream").
 *
 * Linear in the number of bytes however they are cut. Throws RangeError once an unfinished block is
 * longer than `limit` UTF-16 units: a stream without line ends must not fill the memory.
 */
export function createSseParser(limit = 8_388_608): SseParser {
  // Drops one leading byte order mark and keeps split UTF-8 sequences, as the section's "UTF-8 decode" asks.
  const decoder = new TextDecoder();
  let partial: string[] = [];
  let skipLf = false;

  let data: string[] = [];
  let event = "";
  let id: string | undefined;
  let size = 0;
  let lastEventId = "";
  let retry: number | undefined;

  function takeLine(line: string, frames: SseFrame[]): void {
    if (line === "") return dispatch(frames);
    const [, field, value = ""] = /^([^:]*):? ?(.*)/s.exec(line)!;
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^\d+$/.test(value)) retry = +value;
  }

  function dispatch(frames: SseFrame[]): void {
    lastEventId = id ?? lastEventId;
    // An empty `data:` line counts; no data line at all does not.
    if (data.length > 0) {
      frames.push({ data: data.join("\n"), ...(event && { event }), ...(id !== undefined && { id }) });
    }
    data = [];
    event = "";
    id = undefined;
    size = 0;
  }

  return {
    feed(bytes) {
      let text = decoder.decode(bytes, { stream: true });
      const frames: SseFrame[] = [];
      if (text !== "") {
        // The LF of a CRLF may come later than its line, which need not wait for it.
        if (skipLf && text[0] === "\n") text = text.slice(1);
        skipLf = text.endsWith("\r");
      }
      text.split(/\r\n?|\n/).forEach((piece, n) => {
        if (n > 0) {
          const line = partial.join("");
          partial = [];
          takeLine(line, frames);
        }
        partial.push(piece);
        size += piece.length;
      });
      if (size > limit) throw new RangeError(`an event of more than ${limit} characters`);
      return frames;
    },
    get lastEventId() {
      return lastEventId;
    },
    get retry() {
      return retry;
    },
  };
}
