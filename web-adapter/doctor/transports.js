// Commands, WebSocket and server-sent events, each as the adapter uses it.
import { below, isTimeout, open, parsed, reason } from "./http.js";
import { finder, isDirect, refused, rewrites, whoAnswers } from "./finding.js";
import { command, isLive, newId } from "./runs.js";
import { NoUpgrade, talk } from "./websocket.js";

/** @typedef {import("./finding.js").Look} Look */
/** @typedef {import("./finding.js").Finder} Finder */
/** @typedef {import("./finding.js").Finding} Finding */
/** @typedef {import("./runs.js").Run} Run */

/** As in src/protocol.ts. */
const PROTOCOL = 1;
const SUBPROTOCOL = "crew.v1";

/** Milliseconds that a live run is watched from its first frame on. */
const WATCH = 1_000;

/** Milliseconds: events that come later than others by more than this come in lumps that one sees. */
const LUMP = 500;

const OWN_ADDRESS = "Give createCrewClient the sidecar's own address, not the page's";
const PASS_UPGRADES =
  "Whatever is in between must pass the upgrade on; nginx: `proxy_http_version 1.1`, " +
  "`proxy_set_header Upgrade $http_upgrade`, `proxy_set_header Connection upgrade`.\n" +
  'Meanwhile `transport: "auto"` uses server-sent events.';
const PASSES_ON =
  "The sidecar sends `Cache-Control: no-cache, no-transform`; whatever is in between must keep that, " +
  "and neither compress nor buffer (Next: `compress: false`; nginx: `proxy_buffering off`).";
const SHOWS_IT =
  "`--run` starts one and cancels it again (with a real model it costs some tokens); " +
  "a sidecar with SIDECAR_SYNTHETIC=1 needs none of that.";

/**
 * @param {Look} look
 * @returns {Promise<Finding>}
 */
export async function takesCommands(look) {
  const find = finder(look, "control");
  const { answer, reply } = await command(look, { cmd: "ping" });
  if (reply?.ok) return find.ok(`POST /control is acknowledged within ${Math.ceil(answer.ms)} ms`);
  if (reply?.error?.code) return refused(find, reply.error);
  return find.wrong(
    `${whoAnswers(answer)} answers POST /control with ${answer.status}`,
    isDirect(look) ? "Whatever is in front of the sidecar must pass POST on" : rewrites(look),
  );
}

/**
 * @param {Look} look
 * @param {Run | undefined} run
 * @returns {Promise<Finding>}
 */
export async function opensWebSocket(look, run) {
  const find = finder(look, "websocket");
  const ping = { id: newId(), cmd: "ping" };
  const subscribe = { id: newId(), cmd: "subscribe", run: run?.id };
  /** @type {number | undefined} */
  let protocol;
  let pong = false;
  try {
    const { ms } = await talk(
      below(look.url, "/ws"),
      { protocol: SUBPROTOCOL, origin: look.origin, commands: run ? [subscribe, ping] : [ping], wait: look.wait },
      (frame) => {
        if (frame.type === "stream.hello") protocol = frame.protocol;
        if (frame.id === ping.id) pong = true;
        return pong && (protocol !== undefined || !run);
      },
    );
    if (protocol !== undefined && protocol !== PROTOCOL) return otherProtocol(find, protocol);
    return find.ok(
      `opens within ${Math.ceil(ms)} ms, takes commands${protocol ? ` and says hello, protocol ${protocol}` : ""}`,
    );
  } catch (error) {
    if (error instanceof NoUpgrade) {
      const refusal = parsed(error.answer.text)?.error;
      if (refusal?.code === "bad_request")
        return find.wrong("the upgrade is lost on the way: the sidecar gets a plain request", PASS_UPGRADES);
      if (refusal?.code) return refused(find, refusal);
      return find.wrong(
        `${whoAnswers(error.answer)} answers with ${error.answer.status} instead`,
        `${isDirect(look) ? "" : `${rewrites(look)}\n`}${PASS_UPGRADES}`,
      );
    }
    if (isTimeout(error))
      return find.wrong(
        `no answer within ${look.wait / 1000} s, as from \`next dev\` where nothing rewrites a WebSocket`,
        `${isDirect(look) ? OWN_ADDRESS : rewrites(look)}\n${PASS_UPGRADES}`,
      );
    return find.wrong(`does not open: ${reason(error)}`, PASS_UPGRADES);
  }
}

/**
 * Whether events arrive when they are said. A run that has ended cannot show it: all of it is told
 * at once, through a buffer as without one.
 *
 * @param {Look} look
 * @param {Run | undefined} run
 * @returns {Promise<Finding>}
 */
export async function streams(look, run) {
  const find = finder(look, "stream");
  if (!run) return find.unknown("there is no run to stream", SHOWS_IT);
  const live = await isLive(look, run);
  const stop = new AbortController();
  const heard = listener(() => setTimeout(() => stop.abort(), WATCH).unref());
  try {
    const { headers, status, done } = await open(
      below(look.url, `/sse?run=${encodeURIComponent(run.id)}`),
      // As a browser asks: what may compress compresses.
      {
        headers: {
          accept: "text/event-stream",
          "accept-encoding": "gzip, br",
          ...(look.origin && { origin: look.origin }),
        },
        signal: stop.signal,
        wait: look.wait + WATCH,
      },
      heard.take,
    );
    if (!headers["content-type"]?.startsWith("text/event-stream"))
      return find.wrong(
        `GET /sse is answered with ${status} and ${headers["content-type"] ?? "nothing"}`,
        isDirect(look) ? PASSES_ON : rewrites(look),
      );
    if (headers["content-encoding"])
      return find.wrong(
        `buffered: compressed on the way (${headers["content-encoding"]}), it comes in one piece at the end`,
        PASSES_ON,
      );
    if (!headers["cache-control"]?.includes("no-transform"))
      return find.wrong("`no-transform` is lost on the way, so anything may compress it", PASSES_ON);
    await done.catch((error) => {
      if (heard.hello === undefined) throw error;
    });
  } catch (error) {
    if (!isTimeout(error)) return find.wrong(`GET /sse: ${reason(error)}`, PASSES_ON);
    return live && (await isLive(look, run))
      ? find.wrong("buffered: nothing arrives while the run is live", PASSES_ON)
      : find.unknown("nothing arrived before the run ended", SHOWS_IT);
  } finally {
    stop.abort();
  }
  const { hello, lags } = heard;
  if (hello === undefined) return find.wrong("it does not begin with its hello", PASSES_ON);
  if (hello.protocol !== PROTOCOL) return otherProtocol(find, hello.protocol);
  const lump = Math.max(...lags) - Math.min(...lags);
  if (lump > LUMP) return find.wrong(`buffered: events come in lumps, up to ${Math.round(lump)} ms late`, PASSES_ON);
  if (!live) return find.unknown("well so far; whether events arrive one by one only a live run shows", SHOWS_IT);
  return find.ok(`unbuffered: hello at once${lags.length ? `, then ${lags.length} events as they were said` : ""}`);
}

/**
 * Reads a stream of events (WHATWG HTML section 9.2, as the sidecar writes it: one `data` line each).
 *
 * @param {() => void} onHello
 */
function listener(onHello) {
  let rest = "";
  const heard = {
    /** @type {{ protocol: number, head: number } | undefined} */
    hello: undefined,
    /** @type {number[]} Of each event that is newer than the hello: when it came, less when it was said. */
    lags: [],
    /** @param {Buffer} chunk */
    take(chunk) {
      const now = Date.now();
      const blocks = (rest + chunk.toString("latin1")).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const frame = parsed(/^data: ?(.*)$/m.exec(block)?.[1] ?? "");
        if (frame?.type === "stream.hello") {
          heard.hello = frame;
          onHello();
        } else if (heard.hello && frame?.seq > heard.hello.head && frame.at) heard.lags.push(now - frame.at);
      }
    },
  };
  return heard;
}

/**
 * @param {Finder} find
 * @param {number} protocol
 */
const otherProtocol = (find, protocol) =>
  find.wrong(
    `the sidecar speaks protocol ${protocol}, this package ${PROTOCOL}`,
    "Install the crew-web-adapter that belongs to your sidecar: npm pack in its web-adapter/",
  );
