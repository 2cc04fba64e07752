import { describe, expect, test } from "vitest";
import { createSseParser, type SseFrame } from "../src/index.ts";
import { sse } from "./vectors.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const all = [...sse.vectors, ...sse.parse_only];

function parse(chunks: Iterable<Uint8Array>) {
  const parser = createSseParser();
  const frames: SseFrame[] = [];
  for (const chunk of chunks) frames.push(...parser.feed(chunk));
  return { frames, lastEventId: parser.lastEventId, retry: parser.retry };
}

describe.each(all)("$name", (vector) => {
  const whole = bytes(vector.bytes);
  const expected = { frames: [...vector.frames] };

  test("parses in one piece", () => {
    const got = parse([whole]);
    expect(got.frames).toEqual(expected.frames);
    if (vector.last_event_id !== undefined) expect(got.lastEventId).toBe(vector.last_event_id);
    expect(got.retry).toBe(vector.retry);
  });

  test("parses the same when cut anywhere, in the middle of a character too", () => {
    const step = Math.max(1, Math.floor(whole.length / 2_000));
    for (let at = 0; at <= whole.length; at += step) {
      expect(parse([whole.subarray(0, at), whole.subarray(at)]).frames).toEqual(expected.frames);
    }
  });

  test("parses the same byte by byte, with empty chunks between", () => {
    const chunks = [...whole].flatMap((_, n) => [whole.subarray(n, n + 1), new Uint8Array()]);
    expect(parse(chunks).frames).toEqual(expected.frames);
  });
});

test("a block is given out with its last byte, not later", () => {
  const parser = createSseParser();
  expect(parser.feed(bytes("data: a\r\n\r"))).toEqual([{ data: "a" }]);
  expect(parser.feed(bytes("\ndata: b\n"))).toEqual([]);
  expect(parser.feed(bytes("\n"))).toEqual([{ data: "b" }]);
});

test("a block longer than the limit is refused, in one line or in many", () => {
  expect(() => createSseParser(100).feed(bytes("x".repeat(101)))).toThrow(RangeError);
  const parser = createSseParser(100);
  expect(() => {
    for (let n = 0; n < 20; n++) parser.feed(bytes("data: 123456\n"));
  }).toThrow(RangeError);
});

test("many short blocks never meet the limit", () => {
  const parser = createSseParser(100);
  for (let n = 0; n < 1_000; n++) expect(parser.feed(bytes("data: 123456\n\n"))).toHaveLength(1);
});

test("a long line in small pieces costs linear time", () => {
  const piece = bytes("x".repeat(64));
  const run = (pieces: number) => {
    const parser = createSseParser();
    const start = performance.now();
    parser.feed(bytes("data: "));
    for (let n = 0; n < pieces; n++) parser.feed(piece);
    expect(parser.feed(bytes("\n\n"))[0]?.data).toHaveLength(64 * pieces);
    return performance.now() - start;
  };
  run(2_000);
  const [short, long] = [run(4_000), run(64_000)];
  // Sixteen times the input; quadratic would be 256 times the time.
  expect(long).toBeLessThan(100 * Math.max(short, 1));
});
