// Requests that end within their bound. Over node:http, since fetch would undo a compression unseen.
import http from "node:http";
import https from "node:https";

/** Bytes of a body that are kept. The longest answer is a list of runs with their outputs. */
const MOST = 4 * 1024 * 1024;

/**
 * @typedef {object} Request
 * @property {number} wait Milliseconds until it is given up.
 * @property {string} [method]
 * @property {Record<string, string>} [headers]
 * @property {unknown} [json] The body.
 * @property {AbortSignal} [signal]
 *
 * @typedef {{ status: number, headers: http.IncomingHttpHeaders }} Head
 * @typedef {Head & { text: string, ms: number }} Answer
 */

/**
 * Aborts after `wait` ms, and with `parent`. AbortSignal.any over AbortSignal.timeout would do, but Node 20 may
 * collect the two as garbage before the time is up.
 *
 * @param {number} wait
 * @param {AbortSignal} [parent]
 */
export function deadline(wait, parent) {
  const controller = new AbortController();
  const { signal } = controller;
  setTimeout(() => controller.abort(), wait).unref();
  parent?.addEventListener("abort", () => controller.abort(), { signal });
  return signal;
}

/** @param {URL} url */
export const clientFor = (url) => (url.protocol === "https:" ? https : http);

/**
 * What hangs below an address: `below(http://a/crew, "/ws")` is `http://a/crew/ws`.
 *
 * @param {URL} url
 * @param {string} path
 */
export const below = (url, path) => new URL(url.href.replace(/\/*$/, "") + path);

/**
 * @param {URL} url
 * @param {Request} request
 * @returns {Promise<Answer>}
 */
export async function ask(url, request) {
  const begun = performance.now();
  const chunks = /** @type {Buffer[]} */ ([]);
  let size = 0;
  const { done, ...head } = await open(url, request, (chunk) => {
    size += chunk.length;
    if (size <= MOST) chunks.push(chunk);
  });
  await done;
  return { ...head, text: Buffer.concat(chunks).toString(), ms: performance.now() - begun };
}

/**
 * Resolves with the head of the answer; `take` gets the body as it arrives, and `done` says that it
 * is over. Both reject with an AbortError once `wait` is over or the signal says so.
 *
 * @param {URL} url
 * @param {Request} request
 * @param {(chunk: Buffer) => void} take
 * @returns {Promise<Head & { done: Promise<void> }>}
 */
export function open(url, { wait, method = "GET", headers = {}, json, signal }, take) {
  const body = json === undefined ? undefined : JSON.stringify(json);
  return new Promise((resolve, reject) => {
    const request = clientFor(url).request(url, {
      method,
      agent: false,
      signal: deadline(wait, signal),
      headers: {
        ...headers,
        ...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
      },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      const done = new Promise((end, fail) => {
        response.on("data", take);
        response.on("end", () => end(undefined));
        response.on("error", fail);
      });
      // Whoever needs the head alone does not wait for it.
      done.catch(() => {});
      resolve({ status: response.statusCode ?? 0, headers: response.headers, done });
    });
    request.end(body);
  });
}

/**
 * @param {string} text
 * @returns {any} undefined where it is no JSON.
 */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param {unknown} error */
export const isTimeout = (error) => error instanceof Error && error.name === "AbortError";

/**
 * In words without an address or a stack.
 *
 * @param {unknown} error
 */
export function reason(error) {
  if (isTimeout(error)) return "it takes too long";
  const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
  if (code === "ECONNREFUSED") return "nothing listens there";
  if (code === "ECONNRESET") return "the connection was cut";
  return code ?? message;
}
