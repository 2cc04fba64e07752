import { createParser } from "eventsource-parser";
import { describe, expect, test } from "vitest";
import { createSseParser } from "../src/sse.ts";
import { numbers } from "./numbers.ts";
import { sse } from "./vectors.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const all = [...sse.vectors, ...sse.parse_only];

function parse(chunks: Iterable<Uint8Array>): string[] {
  const feed = createSseParser();
  return [...chunks].flatMap((chunk) => feed(chunk));
}

describe.each(all)("$name", (vector) => {
  const whole = bytes(vector.bytes);
  const expected = vector.frames.map(({ data }) => data);

  test("parses in one piece", () => {
    expect(parse([whole])).toEqual(expected);
  });

  test("parses the same when cut anywhere, in the middle of a character too", () => {
    const step = Math.max(1, Math.floor(whole.length / 2_000));
    for (let at = 0; at <= whole.length; at += step) {
      expect(parse([whole.subarray(0, at), whole.subarray(at)])).toEqual(expected);
    }
  });

  test("parses the same byte by byte, with empty chunks between", () => {
    const chunks = [...whole].flatMap((_, n) => [whole.subarray(n, n + 1), new Uint8Array()]);
    expect(parse(chunks)).toEqual(expected);
  });
});

test("a block is given out with its last byte, not later", () => {
  const feed = createSseParser();
  expect(feed(bytes("data: a\r\n\r"))).toEqual(["a"]);
  expect(feed(bytes("\ndata: b\n"))).toEqual([]);
  expect(feed(bytes("\n"))).toEqual(["b"]);
});

test("a block longer than the limit is refused, in one line or in many", () => {
  expect(() => createSseParser(100)(bytes("x".repeat(101)))).toThrow(RangeError);
  const feed = createSseParser(100);
  expect(() => {
    for (let n = 0; n < 20; n++) feed(bytes("data: 123456\n"));
  }).toThrow(RangeError);
});

test("many short blocks never meet the limit", () => {
  const feed = createSseParser(100);
  for (let n = 0; n < 1_000; n++) expect(feed(bytes("data: 123456\n\n"))).toHaveLength(1);
});

test("a long line in small pieces costs linear time", () => {
  const piece = bytes("x".repeat(64));
  const run = (pieces: number) => {
    const feed = createSseParser();
    const start = performance.now();
    feed(bytes("data: "));
    for (let n = 0; n < pieces; n++) feed(piece);
    expect(feed(bytes("\n\n"))[0]).toHaveLength(64 * pieces);
    return performance.now() - start;
  };
  run(2_000);
  const [short, long] = [run(4_000), run(64_000)];
  // Sixteen times the input; quadratic would be 256 times the time.
  expect(long).toBeLessThan(100 * Math.max(short, 1));
});

/** Of which a stream may be made: fields, what looks like them, and line ends, also such as are cut in two. */
const FIELDS = [
  "data",
  "data:",
  "data: ",
  "data:  x",
  "data: é€😀",
  "date: x",
  " data: x",
  "dataa: x",
  "event: log",
  "id: 7",
];
const OTHERS = ["retry: 10", ":", ": ping", "\ufeff", "\u0000", "x"];
const ENDS = ["\n", "\n\n", "\r", "\r\r", "\r\n", "\r\n\r\n", "\n\n"];
const PIECES = [FIELDS, OTHERS, ENDS].flat();

test.each(Array.from({ length: 200 }, (_, n) => n))(
  "says what eventsource-parser says, however it is cut (seed %i)",
  (seed) => {
    const random = numbers(seed);
    const pick = (most: number) => Math.floor(random() * most);
    const text = Array.from({ length: 200 }, () => PIECES[pick(PIECES.length)]).join("");
    const whole = bytes(`${random() < 0.3 ? "\ufeff" : ""}${text}:\n`);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < whole.length;) chunks.push(whole.subarray(at, (at += 1 + pick(random() < 0.5 ? 3 : 60))));

    const reference: string[] = [];
    const parser = createParser({ onEvent: ({ data }) => reference.push(data) });
    // It waits for what comes after a CR, hence the last line; to decode is its caller's, and to drop a byte order mark with it.
    const decoder = new TextDecoder();
    const feed = createSseParser();
    const own: string[] = [];
    for (const chunk of chunks) {
      own.push(...feed(chunk));
      parser.feed(decoder.decode(chunk, { stream: true }));
    }
    expect(reference.length).toBeGreaterThan(0);
    expect(own).toEqual(reference);
  },
);
