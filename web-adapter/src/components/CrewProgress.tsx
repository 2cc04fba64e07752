import { memo, useMemo, type ComponentType, type ReactNode } from "react";
import { isFinal, seconds, type HelperView, type RunView, type Step, type TaskView, type WorkView } from "../view.ts";
import { CrewTool } from "./CrewTool.tsx";
import type { ToolFacts } from "./parts.ts";
import { useNow } from "./useNow.ts";
import { classes, WORDS, type CrewWords } from "./words.ts";

/** How words are shown: as they are, unless somebody renders their Markdown. */
export type CrewText = ComponentType<{ readonly text: string }>;

export const Plain: CrewText = ({ text }) => (
  <p className="crew-words" dir="auto">
    {text}
  </p>
);

export interface CrewProgressProps {
  readonly run: RunView;
  /** Who works on a task, for people to read; its agent's role if this is left out. */
  readonly name?: ((task: TaskView | HelperView) => string) | undefined;
  readonly Text?: CrewText | undefined;
  /** How a tool is shown; `() => null` where its `tool-call` part is. */
  readonly Tool?: ComponentType<{ readonly tool: ToolFacts }> | undefined;
  readonly words?: Partial<CrewWords> | undefined;
  readonly className?: string;
}

type Look = keyof CrewWords & (WorkView["state"] | RunView["state"]);

/** Who is at work on what, how long it took, what they write and which tools they use, as it happens. */
export function CrewProgress({ run, name, Text = Plain, Tool, words, className }: CrewProgressProps) {
  const says = useMemo(() => ({ ...WORDS, ...words }), [words]);
  const live = !isFinal(run.state);
  const now = useNow(live && run.work.some(({ state }) => state === "running"));
  const known = new Set(run.work.map(({ tid }) => tid));
  const agent = (item: WorkView) => ("agent" in item ? (name?.(item) ?? item.agent) : undefined);

  const listOf = (tid: string | null): ReactNode => {
    // What is inside something that is gone is the run's.
    const inside = run.work.filter((item) => (item.in !== null && known.has(item.in) ? item.in : null) === tid);
    return inside.length === 0 ? null : (
      <ol className="crew-progress-list">
        {inside.map((item) => {
          const look = lookOf(item, run);
          const took = seconds(item, look === "running" ? now : null);
          return (
            <Item
              key={item.tid}
              item={item}
              agent={agent(item)}
              look={look}
              time={took === null ? "" : says.time(took)}
              says={says}
              Text={Text}
              Tool={Tool}
            >
              {listOf(item.tid)}
            </Item>
          );
        })}
      </ol>
    );
  };

  const at = [...new Set(run.tasks.filter(({ state }) => live && state === "running").map(agent))];
  return (
    <section className={classes("crew-progress", className)} data-state={run.state} aria-label={says.crew}>
      <p className="crew-progress-status" role="status" dir="auto">
        {[at.join(", "), says[run.state]].filter(Boolean).join(": ")}
      </p>
      <Steps steps={run.steps} says={says} Text={Text} Tool={Tool} />
      {listOf(null)}
    </section>
  );
}

/** What was begun and is not at work is what the run is: paused, or stopped; what was cut off did not fail. */
function lookOf({ state, error }: WorkView, run: RunView): Look {
  // "cancelled": what a crew says of work that a cancel ended, if it comes to say anything.
  const cut = isFinal(run.state) && (state === "running" || (state === "failed" && (!error || error === "cancelled")));
  const rests = state === "running" && (run.state === "paused" || run.state === "waiting");
  return cut || rests ? run.state : state;
}

interface StepsProps {
  readonly steps: readonly Step[];
  readonly says: CrewWords;
  readonly Text: CrewText;
  readonly Tool: CrewProgressProps["Tool"];
}

interface ItemProps extends Omit<StepsProps, "steps"> {
  readonly item: WorkView;
  readonly agent: string | undefined;
  readonly look: Look;
  readonly time: string;
  readonly children: ReactNode;
}

const Item = memo(function Item({ item, agent, look, time, says, children, ...how }: ItemProps) {
  const { steps, output, error } = item;
  const written = steps.some((step) => step.kind === "call" && step.text !== "");
  const head = (
    <>
      {agent && (
        <span className="crew-progress-agent" dir="auto">
          {agent}
        </span>
      )}{" "}
      <span className="crew-progress-name" dir="auto">
        {item.name.replaceAll("_", " ")}
      </span>{" "}
      <span className="crew-progress-state">{says[look]}</span>{" "}
      {time && <span className="crew-progress-time">{time}</span>}
    </>
  );
  const empty = steps.length === 0 && !output && !error && children === null;
  return (
    <li
      className="crew-progress-item"
      data-kind={item.kind}
      data-state={look}
      aria-current={look === "running" ? "step" : undefined}
    >
      {empty ? (
        <div className="crew-progress-head">{head}</div>
      ) : (
        <details open>
          <summary className="crew-progress-head">{head}</summary>
          <div className="crew-progress-body">
            <Steps steps={steps} says={says} {...how} />
            {!written && output && children === null && <how.Text text={output} />}
            {error && look === "failed" && (
              <p className="crew-progress-error" dir="auto">
                {error}
              </p>
            )}
            {children}
          </div>
        </details>
      )}
    </li>
  );
});

const Steps = ({ steps, says, Text, Tool }: StepsProps) =>
  steps.map((step) => {
    if (step.kind === "tool")
      return Tool ? <Tool key={step.id} tool={step} /> : <CrewTool key={step.id} tool={step} words={says} />;
    if (step.kind !== "call") return null;
    return [
      step.thinking && (
        <details key={`${step.id} thinking`} className="crew-thinking">
          <summary>{says.thinking}</summary>
          <Text text={step.thinking} />
        </details>
      ),
      step.text && <Text key={step.id} text={step.text} />,
    ];
  });
