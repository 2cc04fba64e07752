import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe as suite, expect, test as it } from "vitest";
import { doctor } from "../doctor/cli.js";
import { PINS } from "../doctor/versions.js";
import { closeAll, listening, nextPage, troubledSidecar, type Trouble } from "./troubledSidecar.ts";

/** Most of the time of each is waiting. */
const test = it.concurrent;
const describe = suite.concurrent;
const MAIN = join(import.meta.dirname, "../doctor/main.js");
/** A bound for what never answers; everything else answers at once. */
const WAIT = ["--wait", "1"];

afterAll(closeAll);

/** Its exit code and what it printed. */
async function run(...words: string[]): Promise<{ code: number; text: string }> {
  return runIn(tmpdir(), ...words);
}

async function runIn(folder: string, ...words: string[]): Promise<{ code: number; text: string }> {
  let text = "";
  const print = (line: string) => void (text += `${line}\n`);
  const code = await doctor(words, { env: {}, folder, colourful: false, say: print, complain: print });
  return { code, text };
}

/** The same of the program as one starts it. */
async function start(...words: string[]): Promise<{ code: number; text: string }> {
  const { NEXT_PUBLIC_CREW_URL: _, ...env } = process.env;
  const child = spawn(process.execPath, [MAIN, ...words], { env, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const code = await new Promise<number>((resolve) => child.on("close", (number) => resolve(number ?? -1)));
  return { code, text };
}

const examine = async (trouble: Trouble, ...words: string[]) => {
  const sidecar = await troubledSidecar(trouble);
  return { ...sidecar, ...(await run("doctor", sidecar.url, ...words, ...WAIT)) };
};

const wrong = (text: string) => [...text.matchAll(/^  FAIL  (\w+)/gm)].map(([, check]) => check);

test("a healthy sidecar is found well", async () => {
  const { code, text } = await examine({});
  expect(text).toContain("Nothing is wrong.");
  expect([...text.matchAll(/^  ok    (\w+)/gm)].map(([, check]) => check)).toEqual([
    "reachable",
    "ready",
    "origin",
    "control",
    "websocket",
    "stream",
  ]);
  expect(code).toBe(0);
});

test("a sidecar that is not running is said with the command that starts it", async () => {
  const gone = await listening(createServer());
  await gone.close();
  const { code, text } = await run("doctor", gone.url);
  expect(text).toMatch(
    /FAIL  reachable  nothing listens there: the sidecar is not running\n.*make serve.*python -m sidecar/,
  );
  expect(text).toContain("One thing is wrong.");
  expect(code).toBe(1);
});

test("an address that is Next's is called that", async () => {
  const { url } = await listening(createServer((_, response) => nextPage(response)));
  const { code, text } = await run("doctor", url, ...WAIT);
  expect(text).toMatch(/FAIL  reachable  that is Next, not the sidecar/);
  expect(code).toBe(1);
});

test("another server is not taken for the sidecar", async () => {
  const { url } = await listening(
    createServer((_, response) => response.setHeader("server", "nginx\x1b[31m".slice(0, 5)).end("hi")),
  );
  expect((await run("doctor", url, ...WAIT)).text).toMatch(/FAIL  reachable  that is another server \(nginx\)/);
});

test("what takes the connection and says nothing is given up", async () => {
  const { url } = await listening(createServer(() => {}));
  expect((await run("doctor", url, ...WAIT)).text).toMatch(
    /FAIL  reachable  the connection is taken, and nothing said for 1 s/,
  );
});

test("what speaks no HTTP is said", async () => {
  const { url } = await listening(createServer().on("connection", (socket) => socket.end("220 mail\r\n")));
  expect((await run("doctor", url, ...WAIT)).text).toMatch(/FAIL  reachable  no answer in http/);
});

/** Each mistake alone: the checks that fail, what is said, and what helps. */
const mistakes: [string, Trouble, string[], RegExp][] = [
  [
    "a sidecar that is not ready gives its reason",
    { ready: "a worker is warming up" },
    ["ready"],
    /not yet: a worker is warming up/,
  ],
  [
    "an origin that is not let in is named with the setting",
    { origins: [] },
    ["origin"],
    /pages of http:\/\/localhost:3000 are not let in\n.*Add http:\/\/localhost:3000 to SIDECAR_ORIGINS/,
  ],
  [
    "a preflight that loses its answer is named",
    { cors: "dropped" },
    ["origin"],
    /preflight is answered with 204 and no Access-Control-Allow-Origin/,
  ],
  [
    "a command that is refused is told in the sidecar's words",
    { control: { status: 401, code: "unauthorized" } },
    ["control"],
    /refused as unauthorized: no\n.*getTicket/,
  ],
  [
    "a WebSocket that hangs is Next's",
    { ws: "hangs" },
    ["websocket"],
    /no answer within 1 s, as from `next dev`(.*\n)+.*the sidecar's own address(.*\n)+.*server-sent events/,
  ],
  [
    "a WebSocket that is answered with a page is Next's",
    { ws: "not found" },
    ["websocket"],
    /Next answers with 404 instead/,
  ],
  [
    "a proxy that drops the upgrade is named",
    { ws: "upgrade dropped" },
    ["websocket"],
    /the upgrade is lost on the way(.*\n)+.*proxy_set_header Upgrade/,
  ],
  ["a WebSocket that opens and stays mute is given up", { ws: "mute" }, ["websocket"], /no answer within 1 s/],
  [
    "a WebSocket that closes at once is named",
    { ws: "closes" },
    ["websocket"],
    /does not open: it is closed again at once/,
  ],
  [
    "a WebSocket with another subprotocol is named",
    { ws: "other subprotocol" },
    ["websocket"],
    /the subprotocol crew\.v1 is lost/,
  ],
  [
    "a compressed stream is buffered",
    { sse: "compressed" },
    ["stream"],
    /buffered: compressed on the way \(gzip\)(.*\n)+.*no-transform/,
  ],
  [
    "a stream that has lost its no-transform is named",
    { sse: "transformable" },
    ["stream"],
    /`no-transform` is lost on the way/,
  ],
  [
    "a stream that is held back while the run is live is buffered",
    { sse: "held back" },
    ["stream"],
    /buffered: nothing arrives while the run is live(.*\n)+.*proxy_buffering off/,
  ],
  ["a stream that comes in lumps is buffered", { sse: "in lumps" }, ["stream"], /buffered: events come in lumps/],
  [
    "a stream that is answered with a page is named",
    { sse: "not found" },
    ["stream"],
    /GET \/sse is answered with 404 and text\/html/,
  ],
  [
    "another protocol is named on both transports",
    { protocol: 2 },
    ["websocket", "stream"],
    /the sidecar speaks protocol 2, this package 1/,
  ],
];

test.each(mistakes)("%s", async (_, trouble, checks, says) => {
  const { code, text } = await examine(trouble);
  expect(wrong(text)).toEqual(checks);
  expect(text).toMatch(says);
  expect(code).toBe(1);
});

describe("through an address that is rewritten", () => {
  /** A sidecar, and a page's server that passes on what is asked below `/crew`, in its own way. */
  async function examineThrough(trouble: Trouble) {
    const origins: string[] = [];
    const [sidecar, page] = [await troubledSidecar({ origins }), await troubledSidecar({ ...trouble, origins })];
    origins.push(page.url);
    const { code, text } = await run("doctor", sidecar.url, `${page.url}/crew`, ...WAIT);
    const [direct = "", through = ""] = text.split(`${page.url}/crew\n`);
    return { sidecar, code, direct, through };
  }

  test("all is tried there too", async () => {
    const { code, through } = await examineThrough({});
    expect([...through.matchAll(/^  ok    (\w+)/gm)].map(([, check]) => check)).toEqual([
      "reachable",
      "control",
      "websocket",
      "stream",
    ]);
    expect(code).toBe(0);
  });

  test("a WebSocket that hangs lacks its rewrite", async () => {
    const { sidecar, code, direct, through } = await examineThrough({ ws: "hangs" });
    expect([wrong(direct), wrong(through)]).toEqual([[], ["websocket"]]);
    expect(through).toContain(`{ source: "/crew/:path*", destination: "${sidecar.url}/:path*" }`);
    expect(code).toBe(1);
  });

  test("a stream that is compressed there is buffered there", async () => {
    const { direct, through } = await examineThrough({ sse: "compressed" });
    expect([wrong(direct), wrong(through)]).toEqual([[], ["stream"]]);
    expect(through).toContain("buffered: compressed on the way (gzip)");
  });

  test("a path that nothing rewrites is said with the lines for next.config", async () => {
    const sidecar = await troubledSidecar();
    const next = await listening(createServer((_, response) => nextPage(response)));
    const { code, text } = await run("doctor", sidecar.url, `${next.url}/crew`, ...WAIT);
    expect(text).toMatch(/FAIL  reachable  Next answers with 404: nothing is rewritten to the sidecar/);
    expect(text).toContain(`{ source: "/crew/:path*", destination: "${sidecar.url}/:path*" }`);
    expect(code).toBe(1);
  });

  test("a page's server that is not running is said", async () => {
    const [sidecar, gone] = [await troubledSidecar(), await listening(createServer())];
    await gone.close();
    expect((await run("doctor", sidecar.url, `${gone.url}/crew`, ...WAIT)).text).toMatch(
      /FAIL  reachable  nothing listens there\n.*npm run dev/,
    );
  });
});

test("a page that others open may not be sent to their own machine", async () => {
  const { url, text } = await examine({ origins: ["http://192.168.1.9:3000"] }, "http://192.168.1.9:3000");
  expect(wrong(text)).toEqual(["address"]);
  expect(text).toContain("for whoever opens http://192.168.1.9:3000 elsewhere, 127.0.0.1 is their own machine");
  expect(text).toContain(`crew-web-adapter doctor ${url} http://192.168.1.9:3000/crew`);
});

describe("a run", () => {
  const starts = ({ commands }: { commands: Record<string, unknown>[] }) =>
    commands.filter(({ cmd }) => cmd === "start").map(({ crew }) => crew ?? "default");

  test("that is live is watched, and none is started", async () => {
    const examined = await examine({ run: "running", crews: ["synthetic"] });
    expect(starts(examined)).toEqual([]);
    expect(examined.commands.map(({ cmd }) => cmd)).not.toContain("cancel");
  });

  test("is synthetic where the sidecar has that crew, and is cancelled again", async () => {
    const examined = await examine({ run: "none", crews: ["synthetic"] });
    expect(starts(examined)).toEqual(["synthetic"]);
    expect(examined.commands.at(-1)).toMatchObject({ cmd: "cancel", run: "r_1" });
    expect(examined.text).toMatch(/ok    stream +unbuffered/);
  });

  test("that costs tokens is not started unasked", async () => {
    const examined = await examine({ run: "none" });
    expect(starts(examined)).toEqual(["synthetic"]);
    expect(examined.text).toMatch(/\?     stream +there is no run to stream\n.*--run/);
    expect(examined.code).toBe(0);
  });

  test("that costs tokens is started with --run, and cancelled again", async () => {
    const examined = await examine({ run: "none" }, "--run");
    expect(starts(examined)).toEqual(["synthetic", "default"]);
    expect(examined.commands.at(-1)).toMatchObject({ cmd: "cancel", run: "r_2" });
    expect(examined.text).toMatch(/ok    stream +unbuffered/);
  });

  test("that has ended shows the headers, not the timing", async () => {
    const { code, text } = await examine({ run: "completed" });
    expect(text).toMatch(/\?     stream +well so far; .* only a live run shows\n.*--run/);
    expect(code).toBe(0);
  });
});

describe("the command line", () => {
  test("explains itself", async () => {
    const { code, text } = await run("--help");
    expect(text).toMatch(/^Usage: crew-web-adapter doctor/);
    expect(code).toBe(0);
  });

  test("is a program that ends with what was found", async () => {
    const { url } = await troubledSidecar();
    expect(await start("doctor", url)).toEqual({ code: 0, text: expect.stringMatching(/Nothing is wrong\.\n$/) });
    expect(await start("nurse")).toEqual({ code: 1, text: expect.stringContaining("There is no command nurse.") });
  });

  test.each([
    [{}, true, "\x1b[32mok  \x1b[0m"],
    [{ NO_COLOR: "1" }, true, "  ok    reachable"],
    [{}, false, "  ok    reachable"],
  ])("with %j in the environment and a terminal: %s marks what is well", async (env, colourful, mark) => {
    const { url } = await troubledSidecar();
    const lines: string[] = [];
    const say = (line: string) => void lines.push(line);
    expect(
      await doctor(["doctor", ...WAIT], {
        env: { NEXT_PUBLIC_CREW_URL: url, ...env },
        folder: tmpdir(),
        colourful,
        say,
        complain: say,
      }),
    ).toBe(0);
    expect(lines.join("\n")).toContain(mark);
  });

  test.each([
    [[], "What is to be done?"],
    [["nurse"], "There is no command nurse."],
    [["doctor", "127.0.0.1:8770"], "127.0.0.1:8770 is no address"],
    [["doctor", "http://a", "http://b", "http://c"], "Two addresses at most"],
    [["doctor", "--wait", "soon"], "--wait takes seconds"],
    [["doctor", "--walk"], "--walk"],
  ])("refuses %j", async (words, says) => {
    const { code, text } = await run(...words);
    expect(text).toContain(says);
    expect(text).toContain("Usage:");
    expect(code).toBe(1);
  });

  test("prints plain ASCII, and nothing of a stranger's that moves the cursor", async () => {
    const { text } = await examine({ ready: "\x1b[2J\u009b2J" });
    expect(text).toMatch(/^[\n -~]*$/);
    expect(text).toContain("not yet:  [2J 2J");
  });
});

describe("what is installed in the app", () => {
  /** An app's folder with these versions in it. */
  function app(versions: Readonly<Record<string, string>>): string {
    const folder = mkdtempSync(join(tmpdir(), "crew-app-"));
    for (const [name, version] of Object.entries(versions)) {
      mkdirSync(join(folder, "node_modules", name), { recursive: true });
      writeFileSync(join(folder, "node_modules", name, "package.json"), JSON.stringify({ name, version }));
    }
    return folder;
  }
  const UI = "@assistant-ui/react";

  test.each([
    [{ [UI]: "0.12.3", react: "18.3.1" }, "ok    versions   assistant-ui 0.12.3, React 18.3.1"],
    [{ [UI]: "0.12.28", react: "19.3.1", ...PINS["0.12.28"] }, "ok    versions   assistant-ui 0.12.28, React 19.3.1"],
    [{ [UI]: "0.14.0", react: "18.3.1" }, "ok    versions   assistant-ui 0.14.0, React 18.3.1"],
    [{ [UI]: "0.12.1", react: "18.3.1" }, "FAIL  versions   assistant-ui 0.12.1 is none that the adapter is for"],
    [{ [UI]: "0.16.0", react: "19.3.1" }, "FAIL  versions   assistant-ui 0.16.0 is none that the adapter is for"],
    [{ [UI]: "0.12.28", react: "17.0.2" }, "FAIL  versions   React 17.0.2 is none that the adapter is for"],
    [
      { [UI]: "0.15.21", react: "19.3.1", ...PINS["0.15.21"], "@assistant-ui/core": "0.3.33" },
      "?     versions   assistant-ui 0.15.21 with @assistant-ui/core 0.3.33 was not tried",
    ],
  ])("%j: %s", async (versions, said) => {
    const sidecar = await troubledSidecar({});
    const { code, text } = await runIn(app(versions), "doctor", sidecar.url, ...WAIT);
    expect(text).toContain(said);
    expect(code).toBe(said.startsWith("FAIL") ? 1 : 0);
    expect(text).toContain("  ok    reachable");
  });

  test("is said with the pins that fit, where assistant-ui's own packages have floated", async () => {
    const sidecar = await troubledSidecar({});
    const folder = app({ [UI]: "0.15.21", react: "19.3.1", ...PINS["0.15.21"], "@assistant-ui/core": "0.3.33" });
    const { text } = await runIn(folder, "doctor", sidecar.url, ...WAIT);
    expect(text).toContain('"overrides": {"@assistant-ui/core":"0.3.20"');
  });

  test("is nothing without an assistant-ui, which the adapter does without", async () => {
    const sidecar = await troubledSidecar({});
    expect((await runIn(app({}), "doctor", sidecar.url, ...WAIT)).text).not.toContain("versions");
  });

  test("is held against what the package says and the README has in its table", () => {
    const read = (name: string) => readFileSync(join(import.meta.dirname, "..", name), "utf8");
    const { peerDependencies } = JSON.parse(read("package.json")) as { peerDependencies: object };
    expect(peerDependencies).toEqual({ [UI]: ">=0.12.3 <0.16", react: "^18 || ^19" });
    const rows = read("README.md").split("\n");
    for (const [version, pins] of Object.entries(PINS)) {
      const row = rows.find((line) => line.includes(`\`"${UI}": "${version}"\``));
      const named = [...(row ?? "").matchAll(/"([^"]+)": "([^"]+)"/g)].map(([, name, its]) => [name, its]);
      expect(named).toEqual([[UI, version], ...Object.entries(pins)]);
    }
  });
});
