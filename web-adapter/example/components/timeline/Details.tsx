"use client";

import type { Prices, RunEvent, WorkView } from "crew-web-adapter";
import { useDeferredValue, useEffect, useRef, useState, type ReactNode } from "react";
import { Cross } from "../icons";
import { Markdown } from "../Markdown";
import { count } from "../worked";
import type { Bar } from "./bars";
import { costOf } from "./cost";
import type { Recording } from "./recording";
import { nowOf } from "./useClock";
import { clock, glanceOf, inWords, lasting, nameOf } from "./words";

/** How many of a bundle are told one by one. */
const LISTED = 50;

interface DetailsProps {
  readonly recording: Recording;
  /** What is shown: one, or several that are drawn as one. */
  readonly bars: readonly Bar[];
  readonly onChoose: (bars: readonly Bar[]) => void;
  readonly onClose: () => void;
  readonly prices: Prices | null;
  readonly onFork?: ((task: WorkView) => void) | undefined;
}

/** What a bar was. */
export function Details({ recording, bars, onChoose, onClose, prices, onFork }: DetailsProps) {
  const header = useRef<HTMLElement>(null);
  const [bar] = bars;
  const id = bar?.id;
  useEffect(() => {
    header.current?.scrollIntoView({ block: "nearest" });
  }, [id]);
  if (!bar) return null;
  const { start } = recording.timeline();
  const title = bars.length > 1 ? count(bars.length, "bar") : nameOf(bar);
  return (
    <section className="tl-details" aria-label={title} data-testid="timeline-details">
      <header ref={header}>
        <h2>{title}</h2>
        <button type="button" className="tl-close" aria-label="Close the details" onClick={onClose}>
          <Cross />
        </button>
      </header>
      {bars.length > 1 ? (
        <ul className="tl-several">
          {bars.slice(0, LISTED).map((one) => (
            <li key={one.id}>
              <button type="button" className="link" onClick={() => onChoose([one])}>
                {glanceOf(one, start, one.end ?? one.start)}
              </button>
            </li>
          ))}
          {bars.length > LISTED && <li>and {count(bars.length - LISTED, "other")}; zoom in to see them</li>}
        </ul>
      ) : (
        <One key={bar.id} recording={recording} bar={bar} prices={prices} onFork={onFork} />
      )}
    </section>
  );
}

interface OneProps {
  readonly recording: Recording;
  readonly bar: Bar;
  readonly prices: Prices | null;
  readonly onFork?: ((task: WorkView) => void) | undefined;
}

function One({ recording, bar, prices, onFork }: OneProps) {
  const timeline = recording.timeline();
  const { agent, model, start, end, first, tokens, retries, error, state, whole, label, kind, tid } = bar;
  const cost = costOf(timeline, bar, prices);
  const task = kind === "task" ? recording.view.work.find((work) => work.tid === tid) : undefined;
  return (
    <>
      <dl className="tl-facts">
        {agent && kind !== "agent" && <Fact name="Who">{agent.trim()}</Fact>}
        {model && <Fact name="Model">{model}</Fact>}
        <Fact name={whole ? "Began" : "First heard of"}>
          {clock(start - timeline.start)}{" "}
          <time dateTime={new Date(start).toISOString()}>{new Date(start).toLocaleTimeString()}</time>
        </Fact>
        <Fact name={end === null ? "So far" : "Lasted"}>
          {lasting((end ?? nowOf(recording)) - start)}
          {state === "cut" && ", cut off"}
          {state === "failed" && ", failed"}
        </Fact>
        {first !== null && <Fact name="First token after">{lasting(first - start)}</Fact>}
        {tokens && (
          <Fact name="Tokens">
            {tokens.prompt.toLocaleString("en")} in, {tokens.completion.toLocaleString("en")} out
            {tokens.cached > 0 && `, ${tokens.cached.toLocaleString("en")} from the cache`}
          </Fact>
        )}
        {cost && <Fact name="Cost">{cost}</Fact>}
        {retries > 0 && <Fact name="Tried again">{count(retries, "time")}</Fact>}
        {kind === "retry" && label && <Fact name="Why">{label}</Fact>}
      </dl>
      {error && <p className="tl-error">{error}</p>}
      <Told bar={bar} events={recording.eventsOf(bar)} />
      {task && onFork && (
        <button type="button" className="pill" onClick={() => onFork(task)}>
          Run again from {inWords(task.name)}
        </button>
      )}
    </>
  );
}

const Fact = ({ name, children }: { readonly name: string; readonly children: ReactNode }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

/** Long ones come behind the click: React then builds them block by block, between frames. */
function Words({ text }: { readonly text: string }) {
  const built = useDeferredValue(text, "");
  return (
    <div className="words">
      <Markdown text={built} />
    </div>
  );
}

/** Its words, what it was given, and what came of it. */
function Told({ bar, events }: { readonly bar: Bar; readonly events: readonly RunEvent[] }) {
  if (bar.kind === "call") {
    const of = (kind: string) =>
      events.map((event) => (event.type === "llm.delta" && event.data.kind === kind ? event.data.text : "")).join("");
    const [thinking, tool, text] = [of("thinking"), of("tool"), of("text")];
    return (
      <>
        {thinking && <Given name="Thinking" text={thinking} />}
        {tool && <Given name="Wants a tool" text={tool} />}
        {text && <Words text={text} />}
      </>
    );
  }
  const told = Object.assign({}, ...events.map(({ data }) => data)) as Readonly<Record<string, unknown>>;
  return FIELDS.map(([name, title]) => {
    const value = told[name];
    if (value === undefined || value === null || value === "") return null;
    const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
    return name === "output" && bar.kind !== "tool" ? (
      <Words key={name} text={text} />
    ) : (
      <Given key={name} name={title} text={text} />
    );
  });
}

/** What of an event's data says what it was, and is not said otherwise. */
const FIELDS = [
  ["prompt", "Question"],
  ["text", "Answer"],
  ["args", "Given"],
  ["query", "Query"],
  ["content", "Content"],
  ["output", "Result"],
  ["route", "Went on at"],
] as const;

/** Characters that are shown before somebody asks for all. */
const SHOWN = 2_000;

function Given({ name, text }: { readonly name: string; readonly text: string }) {
  const [all, setAll] = useState(false);
  const long = text.length > SHOWN;
  return (
    <div className="tl-given">
      <h3>{name}</h3>
      <pre>{long && !all ? `${text.slice(0, SHOWN)}…` : text}</pre>
      {long && (
        <button type="button" className="link" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Show less" : `Show all ${count(text.length, "character")}`}
        </button>
      )}
    </div>
  );
}
