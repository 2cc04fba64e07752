/**
 * Incremental parser of `text/event-stream` (WHATWG HTML section 9.2.6, "Interpreting an event stream"):
 * takes the next bytes, cut anywhere, and gives the data of the blocks that they complete. Type and
 * cursor of a frame are in its data, so that `event:` and `id:` lines need no reading.
 *
 * Linear in the number of bytes however they are cut (V8, JSC and SpiderMonkey append to strings as
 * ropes). Throws RangeError once an unfinished block is longer than `limit` UTF-16 units: a stream
 * without line ends must not fill the memory.
 */
export function createSseParser(limit = 8_388_608): (bytes: Uint8Array) => string[] {
  // Drops one leading byte order mark and keeps split UTF-8 sequences, as the section's "UTF-8 decode" asks.
  const decoder = new TextDecoder();
  let rest = "";
  let data: string[] = [];
  let size = 0;
  let skipLf = false;

  return (bytes) => {
    let text = decoder.decode(bytes, { stream: true });
    const blocks: string[] = [];
    if (text) {
      // The LF of a CRLF may come later than its line, which need not wait for it.
      if (skipLf) text = text.replace(/^\n/, "");
      skipLf = text.endsWith("\r");
    }
    const lines = text.split(/\r\n?|\n/);
    lines[0] = rest + lines[0];
    rest = lines.pop()!;
    for (const line of lines) {
      size += line.length;
      // An empty `data:` line counts; no data line at all does not.
      if (/^data(:|$)/.test(line)) data.push(line.replace(/^data:? ?/, ""));
      else if (line === "") {
        if (data.length) blocks.push(data.join("\n"));
        data = [];
        size = 0;
      }
    }
    if (size + rest.length > limit) throw new RangeError(`an event beyond ${limit} characters`);
    return blocks;
  };
}
