"use client";

import type { Note, RunView, Step, TaskView, ToolView } from "crew-web-adapter";
import { createContext, Fragment, memo, useContext, useId, useMemo, useState } from "react";
import { Check, Chevron, Cross, PauseBars } from "./icons";
import { Markdown } from "./Markdown";
import { SteerNote } from "./Notes";
import { Question } from "./Question";

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

/** What the notes in between need to know: which run it is, and whether a question of it can be answered here. */
const Answering = createContext<{ readonly run: string | null; readonly live: boolean }>({ run: null, live: false });

interface ProgressProps {
  readonly run: RunView;
  /** Whether it is still followed here. */
  readonly live: boolean;
  /** Whether it was stopped, heard of or not. */
  readonly stopped: boolean;
}

/** The crew's tasks, top to bottom: who is at it, what they use, what they write. */
export function Progress({ run, live, stopped }: ProgressProps) {
  const id = run.run;
  const answering = useMemo(() => ({ run: id, live }), [id, live]);
  const ofNoTask = run.notes.filter((note) => !run.tasks.some(({ name }) => name === note.task));
  return (
    <Answering value={answering}>
      {run.attempt > 1 && <p className="attempt">Attempt {run.attempt}: carried on after a restart</p>}
      <Steps steps={run.steps} notes={ofNoTask} />
      {run.tasks.length > 0 && (
        <ol className="tasks" aria-label="Tasks">
          {run.tasks.map((task) => (
            <Task
              key={task.name}
              task={task}
              notes={notesOf(task, run)}
              look={lookOf(task, run, stopped)}
              answer={isAnswer(task, run)}
            />
          ))}
        </ol>
      )}
    </Answering>
  );
}

/** None is always the same one, so that a task nothing happens to is not shown anew. */
const notesOf = ({ name }: TaskView, { notes }: RunView): readonly Note[] => {
  const own = notes.filter(({ task }) => task === name);
  return own.length > 0 ? own : NO_NOTES;
};
const NO_NOTES: readonly Note[] = [];

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

const Task = memo(function Task({ task, notes, look, answer }: TaskProps) {
  // Whatever has words shows them, so that nothing that is being read moves away; from the first click
  // on, the reader decides.
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
});

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
          <Notes
            notes={notes.filter(({ after }) => after === step.id)}
            above={step.kind === "call" ? step.text : words}
          />
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
  const { run, live } = useContext(Answering);
  return notes.map((note) =>
    note.kind === "steer" ? (
      <SteerNote key={note.id} note={note} />
    ) : (
      run && <Question key={note.id} run={run} live={live} question={note} above={above} />
    ),
  );
}

function StepBody({ step, live }: { readonly step: Step; readonly live: boolean }) {
  if (step.kind === "tool") return <Tool tool={step} />;
  return step.text ? (
    <div
      className="words"
      data-live={(live && step.state === "running") || undefined}
      data-cut={step.state === "failed" || undefined}
    >
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
