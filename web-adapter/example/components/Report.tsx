"use client";

import { isFinal, type RunView } from "crew-web-adapter";
import { useId } from "react";
import { answerOf, outputsOf } from "./answer";
import { Chevron } from "./icons";
import { Result } from "./Outcome";
import { Outputs } from "./Outputs";
import { Progress } from "./Progress";
import { NotesOf } from "./Steps";
import { stayPut } from "./scrolling";
import { useFold } from "./useFold";
import { useNow } from "./useNow";
import { workedLine } from "./worked";

interface ReportProps {
  readonly run: RunView;
  /** Whether it is still followed here. */
  readonly live: boolean;
  /** Whether it was stopped, heard of or not. */
  readonly stopped: boolean;
  /** False where the work is what the page is for: it does not become one line, and what each task gave has a place of its own. */
  readonly folds?: boolean;
}

/**
 * A run from its first task to what it gives: the work on a rail, which folds to one line at the end, and below it
 * what the crew says, word by word where it will stand.
 */
export function Report({ run, live, stopped, folds = true }: ReportProps) {
  const { open, toggle, rail, below } = useFold(run, folds);
  const body = useId();
  const answer = answerOf(run);
  const works = live && !stopped && !isFinal(run.state);
  return (
    <div className="report" data-live={works || undefined} ref={keepStill} data-testid="report">
      {folds && run.started !== null && (
        <div className="worked">
          <h2>
            <button type="button" aria-expanded={open} aria-controls={body} onClick={toggle}>
              {works ? <Clock run={run} /> : workedLine(run)}
              <span className="chevron" aria-hidden>
                <Chevron />
              </span>
            </button>
          </h2>
          {/* In the list of tasks, where a screen reader finds them, what is being written would push them down. */}
          {works && (
            <p className="to-come" aria-hidden>
              {toCome(run)}
            </p>
          )}
        </div>
      )}
      <div id={body} className="rail" ref={rail} hidden={!open}>
        <Progress run={run} live={live} stopped={stopped} answer={answer} />
      </div>
      <div className="below" ref={below}>
        {answer && (
          <Outputs key={answer.from} outputs={folds ? outputsOf(run, answer) : []} label={labelOf(run, answer.tid)}>
            <Result
              text={answer.text}
              state={answer.state === "writing" && !works ? "cut off" : answer.state}
              ended={run.state === "completed"}
              {...(run.state === "completed" && { output: run.output, json: run.json })}
            />
            <NotesOf run={run.run} live={live} notes={answer.notes} above={answer.text} />
          </Outputs>
        )}
      </div>
    </div>
  );
}

const keepStill = (element: HTMLDivElement | null) => (element ? stayPut(element) : undefined);

const Clock = ({ run }: { readonly run: RunView }) => workedLine(run, useNow(1_000));

/** Who is next, once somebody is at work. */
function toCome({ tasks }: RunView): string {
  const planned = tasks.filter((task) => task.in === null);
  if (planned.every(({ state }) => state === "pending")) return "";
  const next = planned.flatMap(({ state, agent, name }) => (state === "pending" ? [agent.trim() || name] : []));
  return next.length > 0 ? `Then ${[...new Set(next)].join(", ")}` : "";
}

const labelOf = ({ work }: RunView, tid: string | null): string =>
  work.find((item) => item.tid === tid)?.name ?? "answer";
