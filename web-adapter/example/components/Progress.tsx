"use client";

import { useAuiState } from "@assistant-ui/react";
import type { Note, RunView, Step, TaskView, ToolView } from "crew-web-adapter";
import { Fragment, useId, useState } from "react";
import { Check, Chevron, Cross, PauseBars } from "./icons";
import { Markdown } from "./Markdown";
import { SteerNote } from "./Notes";
import { Question } from "./Question";
import { useRun } from "./useRun";

type Look = TaskView["state"] | "paused" | "waiting" | "stopped";

const SAYS: Record<Look, string> = {
  pending: "to come",
  running: "working",
  paused: "paused",
  waiting: "waiting for you",
  completed: "done",
  failed: "failed",
  stopped: "stopped",
};

/** The crew's tasks, top to bottom: who is at it, what they use, what they write. */
export function Progress({ data: run }: { readonly data: RunView }) {
  const stopped = useAuiState(
    ({ message: { status } }) => status?.type === "incomplete" && status.reason === "cancelled",
  );
  const notesOf = (name: string) => run.notes.filter(({ task }) => task === name);
  const ofNoTask = run.notes.filter((note) => !run.tasks.some(({ name }) => name === note.task));
  return (
    <>
      {run.attempt > 1 && <p className="attempt">Attempt {run.attempt}: carried on after a restart</p>}
      <Steps steps={run.steps} notes={ofNoTask} />
      {run.tasks.length > 0 && (
        <ol className="tasks" aria-label="Tasks">
          {run.tasks.map((task) => (
            <Task
              key={task.name}
              task={task}
              notes={notesOf(task.name)}
              look={lookOf(task, run, stopped)}
              answer={isAnswer(task, run)}
            />
          ))}
        </ol>
      )}
    </>
  );
}

/** After Stop nothing is at work any more, whatever was heard last; and what was cut off did not fail. */
function lookOf({ state, error }: TaskView, run: RunView, stopped: boolean): Look {
  if (stopped) return state === "running" || (state === "failed" && error === null) ? "stopped" : state;
  return state === "running" && (run.state === "paused" || run.state === "waiting") ? run.state : state;
}

/** Its words stand below, as the crew's answer. */
const isAnswer = ({ output }: TaskView, run: RunView): boolean => run.state === "completed" && output === run.output;

interface TaskProps {
  readonly task: TaskView;
  readonly notes: readonly Note[];
  readonly look: Look;
  readonly answer: boolean;
}

function Task({ task, notes, look, answer }: TaskProps) {
  // Whatever has words shows them, so that nothing that is being read moves away; from the first click on, the reader decides.
  const [chosen, choose] = useState<boolean>();
  const body = useId();
  const empty = task.steps.length === 0 && !task.output && !task.error;
  const open = !empty && (chosen ?? !answer);
  return (
    <li className="task" data-state={look} data-testid="task">
      <Marker look={look} />
      <button
        type="button"
        className="task-head"
        aria-expanded={open}
        aria-controls={body}
        disabled={empty}
        onClick={() => choose(!open)}
      >
        <span className="task-agent">{task.agent}</span>
        <span className="task-name">{task.name.replaceAll("_", " ")}</span>
        <span className="sr-only">{SAYS[look]}</span>
        <span className="chevron" aria-hidden>
          {!empty && <Chevron />}
        </span>
      </button>
      <div id={body} className="task-body" hidden={!open && notes.length === 0}>
        {open ? (
          <Steps steps={task.steps} notes={notes} fallback={task.output} live={look === "running"} />
        ) : (
          // What was said to the crew, and what it asked, stays in sight.
          <Steps steps={NONE} notes={notes} />
        )}
        {open && task.error && <p className="task-error">{task.error}</p>}
      </div>
    </li>
  );
}

function Marker({ look }: { look: Look }) {
  return (
    <span className="marker" aria-hidden>
      {look === "completed" ? <Check /> : look === "failed" ? <Cross /> : look === "paused" ? <PauseBars /> : <i />}
    </span>
  );
}

const NONE: readonly Step[] = [];

interface StepsProps {
  readonly steps: readonly Step[];
  readonly notes: readonly Note[];
  /** Shown where no words were streamed. */
  readonly fallback?: string | null;
  readonly live?: boolean;
}

/** Steps in their order, each followed by the notes that were made behind it. */
function Steps({ steps, notes, fallback = null, live = false }: StepsProps) {
  const silent = steps.every((step) => step.kind === "tool" || step.text === "");
  const known = new Set(steps.map(({ id }) => id));
  // Behind a step that is gone by now, or behind none.
  const first = notes.filter(({ after }) => after === null || !known.has(after));
  const words = (silent && fallback) || "";
  return (
    <>
      <Notes notes={first} above={words} />
      {steps.map((step) => (
        <Fragment key={`${step.kind} ${step.id}`}>
          <StepBody step={step} live={live} />
          <Notes notes={notes.filter(({ after }) => after === step.id)} above={step.kind === "call" ? step.text : words} />
        </Fragment>
      ))}
      {words && (
        <div className="words">
          <Markdown text={words} />
        </div>
      )}
      {silent && !fallback && live && <p className="thinking">Thinking…</p>}
    </>
  );
}

function Notes({ notes, above }: { readonly notes: readonly Note[]; readonly above: string }) {
  const run = useRun()?.run;
  return notes.map((note) =>
    note.kind === "steer" ? (
      <SteerNote key={note.id} note={note} />
    ) : (
      run && <Question key={note.id} run={run} question={note} above={above} />
    ),
  );
}

function StepBody({ step, live }: { readonly step: Step; readonly live: boolean }) {
  if (step.kind === "tool") return <Tool tool={step} />;
  return step.text ? (
    <div className="words" data-live={(live && step.state === "running") || undefined} data-cut={step.state === "failed" || undefined}>
      <Markdown text={step.text} />
    </div>
  ) : null;
}

function Tool({ tool }: { tool: ToolView }) {
  const args = typeof tool.args === "string" ? tool.args : JSON.stringify(tool.args, null, 2);
  return (
    <details className="tool" data-state={tool.state}>
      <summary>
        <span className="chevron" aria-hidden>
          <Chevron />
        </span>
        <span>{tool.state === "running" ? "Using" : tool.state === "failed" ? "Tried" : "Used"}</span>
        <code>{tool.tool}</code>
      </summary>
      <dl>
        <dt>Given</dt>
        <dd>
          <pre>{args}</pre>
        </dd>
        {tool.result !== null && (
          <>
            <dt>{tool.state === "failed" ? "Error" : "Result"}</dt>
            <dd>
              <pre>{tool.result}</pre>
            </dd>
          </>
        )}
      </dl>
    </details>
  );
}
