// What a check says: that it is well, or the mistake by its name with the way out of it.

/**
 * @typedef {object} Look Where is looked, and as whom.
 * @property {URL} url
 * @property {URL} sidecar The same, unless `url` is an address that is rewritten to it.
 * @property {string | undefined} origin The page's, to be sent along.
 * @property {number} wait Milliseconds that any one thing may take.
 *
 * @typedef {object} Finding
 * @property {URL} url
 * @property {string} check
 * @property {"ok" | "wrong" | "unknown"} state
 * @property {string} says
 * @property {string} [fix]
 *
 * @typedef {ReturnType<typeof finder>} Finder
 */

/**
 * @param {Pick<Look, "url">} look
 * @param {string} check
 */
export const finder = ({ url }, check) => ({
  /** @param {string} says @returns {Finding} */
  ok: (says) => ({ url, check, state: "ok", says }),
  /** @param {string} says @param {string} fix @returns {Finding} */
  wrong: (says, fix) => ({ url, check, state: "wrong", says, fix }),
  /** @param {string} says @param {string} fix @returns {Finding} */
  unknown: (says, fix) => ({ url, check, state: "unknown", says, fix }),
});

/** @param {Look} look */
export const isDirect = ({ url, sidecar }) => url === sidecar;

/**
 * Who it is that answers in the sidecar's place.
 *
 * @param {import("./http.js").Answer} answer
 */
export function whoAnswers({ headers, text }) {
  const next = headers["x-powered-by"] === "Next.js" || "x-nextjs-cache" in headers || text.includes("/_next/");
  const { server } = headers;
  return next ? "Next" : typeof server === "string" ? `another server (${server})` : "another server";
}

/**
 * What next.config needs for `look.url` to lead to the sidecar.
 *
 * @param {Look} look
 */
export const rewrites = ({ url, sidecar }) =>
  "Rewrite all that is below it in next.config, and start Next again:\n" +
  `rewrites: async () => [{ source: "${url.pathname.replace(/\/*$/, "")}/:path*", ` +
  `destination: "${sidecar.origin}/:path*" }]`;

/**
 * A refusal in the sidecar's own words.
 *
 * @param {Finder} find
 * @param {{ code: string, message: string }} error
 * @returns {Finding}
 */
export const refused = (find, { code, message }) =>
  find.wrong(`refused as ${code}: ${message}`, FIXES[code] ?? "The sidecar's output says more");

/** @type {Record<string, string>} */
const FIXES = {
  unauthorized: "It wants a ticket: give createCrewClient a `getTicket`",
  rate_limited: "Wait a moment and try again",
  at_capacity: "Wait a moment and try again; SIDECAR_MAX_RUNS and SIDECAR_QUEUE say how many runs it takes",
  unavailable: "It cannot write its log: see `ready` above",
  shutting_down: "It is being stopped: start it again",
};
