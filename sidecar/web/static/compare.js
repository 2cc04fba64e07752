/** The page /compare: what is asked for, what comes of it, and how it is told. */

import { drawChart } from "./chart.js";
import { Measurement, Refused, SYNTHETIC, cancelRun, hasSynthetic, newestLiveRun, startRun } from "./measurement.js";
import { HERE, Results, VIA, judge, toll } from "./results.js";
import { saveJson, savePng } from "./save.js";
import { renderTable } from "./table.js";
import { number } from "./verdict.js";

/** @typedef {import("./results.js").Side} Side */
/** @typedef {import("./clock.js").Clock} Clock */

/**
 * @typedef {object} Subject the run to measure on
 * @property {() => Promise<string>} run its id. Raises Refused
 * @property {boolean} own whether it may be cancelled
 * @property {"ts" | "at"} birth see Order in reader.js
 * @property {string | null} type
 * @property {number | null} events how many there will be, if that is known
 * @property {number} cutEvery timed events between one reader's cut and the next one's
 * @property {number} away ms that a cut lasts
 */

/** Where the page's own routes are: behind a proxy with a prefix, that has it too. */
const BASE = new URL(".", location.href);
/** Seconds before a synthetic run's first event, for all readers to be connected by then. */
const DELAY = 1;
/** A cut lasts for so many events, that there is something to recover; within these ms. */
const AWAY_EVENTS = 2.5;
const AWAY = [50, 5_000];
/** How often each reader is cut. Each time the sidecar may serve it in another order. */
const CUTS = 3;
/** Where the number of events is unknown: timed events between two cuts, and ms that each lasts. */
const SOME_EVENTS = 40;
const SOME_AWAY = 250;
const BRIEF = "Say in a few sentences why a tea shop opens early.";
/** Samples of each transport before a verdict is ventured. */
const ENOUGH = 30;

/** @template {HTMLElement} T @param {string} id @param {new () => T} type @returns {T} */
function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`#${id} is no ${type.name}`);
  return found;
}

const headline = element("headline", HTMLHeadingElement);
const reason = element("reason", HTMLElement);
const canvas = element("chart", HTMLCanvasElement);
const form = element("plan", HTMLFormElement);
const go = element("go", HTMLButtonElement);
const cut = element("cut", HTMLButtonElement);
const via = element("via", HTMLInputElement);
const corrected = element("corrected", HTMLInputElement);
const missing = element("missing", HTMLElement);
const inputs = ["events", "rate", "size"].map((id) => element(id, HTMLInputElement));
const saves = ["json", "png"].map((id) => element(id, HTMLButtonElement));

let results = new Results();
/** @type {Clock | null} */
let clock = null;
/** @type {Measurement | null} the one that goes on */
let measurement = null;
/** @type {Subject | null} the one that was measured last */
let subject = null;
/** @type {(() => void) | null} ends what goes on, with what there is */
let stop = null;
let over = false;
let frameDue = false;

/** @returns {Subject} */
function synthetic() {
  const [events, rate, size] = inputs.map((input) => input.valueAsNumber);
  const away = rate > 0 ? (1000 * AWAY_EVENTS) / rate : 0;
  return {
    run: () => startRun(BASE, SYNTHETIC, { events, rate, size, delay: DELAY }),
    own: true,
    birth: "ts",
    type: "llm.delta",
    events,
    cutEvery: Math.max(1, Math.floor(events / (2 * paths().length * CUTS + 1))),
    away: Math.min(Math.max(away, AWAY[0]), AWAY[1]),
  };
}

/** @param {() => Promise<string>} run @param {boolean} own @returns {Subject} */
function ordinary(run, own) {
  return { run, own, birth: "at", type: null, events: null, cutEvery: SOME_EVENTS, away: SOME_AWAY };
}

async function newest() {
  const run = await newestLiveRun(BASE);
  if (run === undefined) throw new Refused("unknown_run", "no run is going on right now; start one, then try again");
  return run;
}

/** Raises TypeError if the address is none. @returns {{name: string, base: string}[]} */
function paths() {
  const own = { name: HERE, base: BASE.href };
  const text = via.value.trim();
  if (text === "") return [own];
  const address = new URL(text, BASE);
  if (!address.protocol.startsWith("http")) throw new TypeError("no address of a proxy");
  return [own, { name: VIA, base: address.origin + address.pathname.replace(/\/*$/, "/") }];
}

/** Said by the browser where it is asked for, in its own words and place. */
function checkAddress() {
  via.setCustomValidity("");
  try {
    paths();
  } catch {
    via.setCustomValidity("An address such as http://localhost:3000/crew");
  }
}

/** When each reader is cut: in turns, so that each has the wire to itself. @param {number} every */
function schedule(every) {
  const readers = 2 * paths().length;
  return Array.from({ length: readers }, (_, reader) =>
    Array.from({ length: CUTS }, (_, turn) => every * (turn * readers + reader + 1)),
  );
}

/** @param {Subject} chosen */
async function measure(chosen) {
  const mine = new Measurement();
  measurement = mine;
  begin(chosen);
  let unwanted = false;
  const stopped = /** @type {Promise<never>} */ (
    new Promise((_, reject) => {
      stop = () => {
        unwanted = true;
        reject(new Refused("stopped", "it was stopped before a run had begun"));
      };
    })
  );
  try {
    clock = await Promise.race([mine.clock(BASE), stopped]);
    const run = await chosen.run();
    stop = () => {
      mine.stop();
      if (chosen.own) cancelRun(BASE, run);
    };
    if (unwanted) stop();
    const { birth, type, away } = chosen;
    const cuts = schedule(chosen.cutEvery);
    await mine.follow({ run, paths: paths(), birth, type, cuts, away }, (readers) => {
      results.add(readers);
      renderSoon();
    });
    over = true;
  } catch (error) {
    refuse(error);
  } finally {
    mine.close();
    measurement = stop = null;
    settle();
  }
}

/** @param {Subject} chosen */
function begin(chosen) {
  subject = chosen;
  results = new Results();
  clock = null;
  over = false;
  missing.hidden = true;
  tell("Starting…", "", {});
  settle();
}

/** What may be pressed, now that something has begun or ended. */
function settle() {
  const busy = measurement !== null;
  go.textContent = busy ? "Stop" : "Start";
  cut.disabled = !busy;
  for (const input of [...inputs, via]) input.disabled = busy;
  for (const button of saves) button.disabled = !over;
  render();
}

/** @param {unknown} error */
function refuse(error) {
  if (error instanceof Refused && error.code === "unknown_crew") {
    missing.hidden = false;
    tell("Which transport serves you better?", "It takes a run to tell.", {
      said: "This sidecar has no crew for measuring.",
    });
    return;
  }
  const why = error instanceof Error ? error.message : String(error);
  tell("Nothing was measured", `${capital(why)}.`, { kind: "broken", said: why });
}

/**
 * @param {string} head
 * @param {string} text
 * @param {{kind?: string, provisional?: boolean, said?: string}} how `said` is what a screen reader says
 */
function tell(head, text, { kind, provisional = false, said }) {
  headline.textContent = head;
  reason.replaceChildren(...text.split("`").map(asCode));
  headline.toggleAttribute("data-provisional", provisional);
  if (kind === undefined) delete headline.dataset.kind;
  else headline.dataset.kind = kind;
  const region = element("said", HTMLElement);
  if (region.textContent !== (said ?? "")) region.textContent = said ?? "";
}

/** A sentence begins with a capital, but for the name of a percentile. @param {string} text */
function capital(text) {
  return /^p\d/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
}

/** What stood between backticks is code. @param {string} text @param {number} place */
function asCode(text, place) {
  if (place % 2 === 0) return text;
  const code = document.createElement("code");
  code.textContent = text;
  return code;
}

/** With the next frame, once: a hidden page has none, and would owe one for each report. */
function renderSoon() {
  if (frameDue) return;
  frameDue = true;
  requestAnimationFrame(() => {
    frameDue = false;
    render();
  });
}

function render() {
  const offset = corrected.checked ? (clock?.offset ?? 0) : 0;
  const sides = results.sides(offset, over);
  const series = sides.map((side) => ({ ordered: side.ordered, color: colorOf(side), dashed: side.path === VIA }));
  if (sides.length > 0) renderTable(element("table", HTMLTableElement), sides);
  renderLegend(sides);
  renderChart(series);
  renderClock();
  if (measurement !== null && sides.length > 0) renderProgress(sides);
  else if (over) renderVerdict(sides);
}

/** @param {Side[]} sides */
function renderProgress(sides) {
  const total = subject?.events;
  const count = `${results.progress}${total ? ` of ${total}` : ""} events`;
  const found = sides.every(({ figures }) => figures.samples >= ENOUGH) ? judge(sides) : null;
  if (found === null) tell("Measuring…", count, { provisional: true });
  else tell(found.headline, `${found.reason}. ${count} so far.`, { kind: found.kind, provisional: true });
}

/** @param {Side[]} sides */
function renderVerdict(sides) {
  const found = judge(sides);
  if (found === null) {
    tell("Nothing was measured", "It was stopped before both transports were connected.", {});
    return;
  }
  const text = `${found.reason}. ${toll(sides)}`;
  tell(found.headline, capital(text), {
    kind: found.kind,
    said: `${found.text} ${toll(sides)}`,
  });
}

/** @param {Side[]} sides */
function renderLegend(sides) {
  const entries = sides.map(({ kind, path, name }) => {
    const entry = document.createElement("span");
    entry.className = `${kind} ${path}`;
    entry.textContent = path === VIA ? `${name}, proxy` : name;
    return entry;
  });
  element("legend", HTMLElement).replaceChildren(...entries);
}

/** @param {import("./chart.js").Series[]} series */
function renderChart(series) {
  const { width, height } = canvas.getBoundingClientRect();
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.scale(scale, scale);
  drawChart(context, { width, height }, series, look());
  const drawn = series.some(({ ordered }) => ordered.length > 0);
  canvas.setAttribute("aria-label", drawn ? "Latencies of both transports; the table has the figures" : "Empty chart");
}

function renderClock() {
  element("isolated", HTMLElement).textContent = clock
    ? `timer steps ${Math.round(1000 * clock.step)} µs`
    : "";
  if (clock === null) return;
  element("clock", HTMLElement).textContent = clockWords(clock);
}

/** @param {Clock} found */
function clockWords({ offset, error, pings }) {
  if (error === null) return "No ping was answered, so the sidecar’s clock is unknown; only differences count.";
  const sign = offset < 0 ? "behind" : "ahead of";
  return (
    `The sidecar’s clock is ${number(Math.abs(offset))} ms ${sign} this page’s, give or take ` +
    `${number(error)} ms (the fastest of ${pings} pings). Both transports share it, so what lies between them is exact.`
  );
}

function look() {
  const style = getComputedStyle(document.documentElement);
  const color = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
  return {
    paper: color("paper"),
    line: color("line"),
    soft: color("soft"),
    ink: color("ink"),
    font: color("sans"),
  };
}

/** @param {Side} side */
function colorOf({ kind }) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${kind}`).trim();
}

function exported() {
  const offset = clock?.offset ?? 0;
  const sides = results.sides(offset, true);
  const found = judge(sides);
  return {
    version: 1,
    unit: "ms",
    plan: Object.fromEntries(inputs.map((input) => [input.id, input.valueAsNumber])),
    crew: subject?.events ? "synthetic" : "another",
    browser: navigator.userAgent,
    cpus: navigator.hardwareConcurrency,
    isolated: crossOriginIsolated,
    clock,
    verdict: found && { kind: found.kind, text: found.text },
    figures: sides.map(({ path, kind, figures, added }) => ({ path, transport: kind, ...figures, added })),
    samples: results.samples(),
  };
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (measurement !== null) stop?.();
  else measure(synthetic());
});
cut.addEventListener("click", () => measurement?.cut());
corrected.addEventListener("change", render);
element("newest", HTMLButtonElement).addEventListener("click", () => measure(ordinary(newest, false)));
element("ordinary", HTMLButtonElement).addEventListener("click", () =>
  measure(ordinary(() => startRun(BASE, "default", { message: BRIEF }), true)),
);
saves[0].addEventListener("click", () => saveJson(exported()));
saves[1].addEventListener("click", () => {
  const sides = results.sides(corrected.checked ? (clock?.offset ?? 0) : 0, true);
  const series = sides.map((side) => ({ ordered: side.ordered, color: colorOf(side), dashed: side.path === VIA }));
  const words = {
    headline: headline.textContent ?? "",
    reason: reason.innerText,
    caption: element("caption", HTMLElement).innerText,
    note: clock ? clockWords(clock) : "",
  };
  savePng(words, sides, series, look(), colorOf);
});
new ResizeObserver(render).observe(canvas);
// Back to where one came from, as a page on a port of its own is; else to the sidecar's.
if (document.referrer !== "") element("back", HTMLAnchorElement).href = document.referrer;
hasSynthetic(BASE).then((has) => {
  if (!has && measurement === null && !over) missing.hidden = false;
});
// A run of a page that is gone is nobody's.
addEventListener("pagehide", () => stop?.());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);
via.addEventListener("input", checkAddress);
via.value = new URLSearchParams(location.search).get("via") ?? "";
checkAddress();
