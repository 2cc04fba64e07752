"use client";

import { useAuiState } from "@assistant-ui/react";
import type { RunView, Step, TaskView, ToolView } from "crew-web-adapter";
import { useId, useState, type ReactNode } from "react";
import { Check, Chevron, Cross } from "./icons";
import { Markdown } from "./Markdown";

type Look = TaskView["state"] | "stopped";

const SAYS: Record<Look, string> = {
  pending: "waiting",
  running: "working",
  completed: "done",
  failed: "failed",
  stopped: "stopped",
};

/** The crew's tasks, top to bottom: who is at it, what they use, what they write. */
export function Progress({ data: run }: { readonly data: RunView }) {
  const stopped = useAuiState(
    ({ message: { status } }) => status?.type === "incomplete" && status.reason === "cancelled",
  );
  if (run.tasks.length === 0) {
    return run.state === "queued" && !stopped ? (
      <p className="queued">{run.position > 0 ? `Waiting for ${run.position} other runs…` : "Starting…"}</p>
    ) : (
      <Steps steps={run.steps} />
    );
  }
  return (
    <ol className="tasks" aria-label="Tasks">
      {run.tasks.map((task) => (
        <Task key={task.name} task={task} look={lookOf(task, stopped)} answer={isAnswer(task, run)} />
      ))}
    </ol>
  );
}

/** After Stop nothing is at work any more, whatever was heard last; and what was cut off did not fail. */
const lookOf = ({ state, error }: TaskView, stopped: boolean): Look =>
  stopped && (state === "running" || (state === "failed" && error === null)) ? "stopped" : state;

/** Its words stand below, as the crew's answer. */
const isAnswer = ({ output }: TaskView, run: RunView): boolean => run.state === "completed" && output === run.output;

function Task({ task, look, answer }: { task: TaskView; look: Look; answer: boolean }) {
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
      <div id={body} className="task-body" hidden={!open}>
        {open && <Steps steps={task.steps} fallback={task.output} live={look === "running"} />}
        {open && task.error && <p className="task-error">{task.error}</p>}
      </div>
    </li>
  );
}

function Marker({ look }: { look: Look }) {
  return (
    <span className="marker" aria-hidden>
      {look === "completed" ? <Check /> : look === "failed" ? <Cross /> : <i />}
    </span>
  );
}

interface StepsProps {
  readonly steps: readonly Step[];
  /** Shown where no words were streamed. */
  readonly fallback?: string | null;
  readonly live?: boolean;
}

function Steps({ steps, fallback = null, live = false }: StepsProps) {
  const shown: ReactNode[] = steps.map((step) =>
    step.kind === "tool" ? (
      <Tool key={`tool ${step.id}`} tool={step} />
    ) : step.text ? (
      <div key={`call ${step.id}`} className="words" data-live={(live && step.state === "running") || undefined}>
        <Markdown text={step.text} />
      </div>
    ) : null,
  );
  const silent = steps.every((step) => step.kind === "tool" || step.text === "");
  return (
    <>
      {shown}
      {silent && fallback && (
        <div className="words">
          <Markdown text={fallback} />
        </div>
      )}
      {silent && !fallback && live && <p className="thinking">Thinking…</p>}
    </>
  );
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
