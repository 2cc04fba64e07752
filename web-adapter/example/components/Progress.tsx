"use client";

import type { GroupView, HelperView, Note, RunView, TaskView, WorkView } from "crew-web-adapter";
import { memo, useContext, useId, useMemo, useState, type ReactNode } from "react";
import type { Answer } from "./answer";
import { InShort } from "./Failed";
import { Check, Chevron, Cross, PauseBars } from "./icons";
import { Answering, Steps } from "./Steps";
import { TaskExtras } from "./TaskExtras";
import { roundsOf, treeOf, type Tree } from "./tree";

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

interface ProgressProps {
  readonly run: RunView;
  /** Whether it is still followed here. */
  readonly live: boolean;
  /** Whether it was stopped, heard of or not. */
  readonly stopped: boolean;
  /** What stands below it: its words are not shown a second time. */
  readonly answer?: Answer | undefined;
}

/** What the crew or flow does, top to bottom: who is at it, what they use, what they write. */
export function Progress({ run, live, stopped, answer }: ProgressProps) {
  const id = run.run;
  const answering = useMemo(() => ({ run: id, live }), [id, live]);
  const tree = treeOf(run);
  const { work, notes } = tree(null);
  const show = (items: readonly WorkView[]) => (
    <Works items={items} of={work} run={run} tree={tree} stopped={stopped} answer={answer} depth={0} />
  );
  return (
    <Answering value={answering}>
      {run.attempt > 1 && <p className="attempt">Attempt {run.attempt}: carried on after a restart</p>}
      <Steps
        steps={run.steps}
        notes={notes}
        work={work}
        show={show}
        elsewhere={answer?.tid === null ? answer.call : null}
      />
    </Answering>
  );
}

interface WorksProps {
  readonly items: readonly WorkView[];
  /** All that is inside the same as they are. */
  readonly of: readonly WorkView[];
  readonly run: RunView;
  readonly tree: Tree;
  readonly stopped: boolean;
  readonly answer: Answer | undefined;
  readonly depth: number;
}

function Works({ items, of, run, tree, stopped, answer, depth }: WorksProps) {
  const rounds = roundsOf(of);
  const tasksOnly = items.every(({ kind }) => kind === "task" || kind === "helper");
  return (
    <ol className="tasks" aria-label={tasksOnly ? "Tasks" : "Parts"}>
      {items.map((item) => {
        const { work, notes } = tree(item.tid);
        const look = lookOf(item, run, stopped);
        const show = (inner: readonly WorkView[]) => (
          <Works items={inner} of={work} run={run} tree={tree} stopped={stopped} answer={answer} depth={depth + 1} />
        );
        return item.kind === "task" || item.kind === "helper" ? (
          <Task
            key={item.tid}
            task={item}
            notes={notes}
            look={look}
            said={answer?.tid === item.tid}
            elsewhere={answer?.tid === item.tid ? answer.call : null}
            {...(work.length > 0 && { work, show })}
          />
        ) : (
          <Group
            key={item.tid}
            group={item}
            look={look}
            round={rounds.get(item.tid)}
            // What failed in it says so itself.
            error={look === "stopped" || work.some(({ error }) => error === item.error) ? null : item.error}
            depth={depth}
          >
            <Steps
              steps={item.steps}
              notes={notes}
              work={work}
              show={show}
              elsewhere={answer?.tid === item.tid ? answer.call : null}
              fallback={work.length > 0 || item.route || answer?.tid === item.tid ? null : item.output}
              live={look === "running" && work.length === 0}
            />
          </Group>
        );
      })}
    </ol>
  );
}

/** After Stop nothing is at work any more, whatever was heard last; and what was cut off did not fail. */
function lookOf({ state, error }: WorkView, run: RunView, stopped: boolean): Look {
  if (stopped) return state === "running" || (state === "failed" && isCutOff(error)) ? "stopped" : state;
  return state === "running" && (run.state === "paused" || run.state === "waiting") ? run.state : state;
}

/** What a crew says of work that a cancel ended, if it comes to say anything. */
const isCutOff = (error: string | null): boolean => error === null || error === "cancelled";

interface TaskProps {
  readonly task: TaskView | HelperView;
  readonly notes: readonly Note[];
  readonly look: Look;
  /** Whether what it gave stands below all of the work. */
  readonly said: boolean;
  /** The words of it that stand there; null for none. */
  readonly elsewhere: string | null;
  /** Crews that its tools have begun; left out where there are none, so that it is not shown anew for nothing. */
  readonly work?: readonly WorkView[];
  readonly show?: (work: readonly WorkView[]) => ReactNode;
}

const Task = memo(function Task({ task, notes, look, said, elsewhere, ...inner }: TaskProps) {
  // Whatever has words shows them, so that nothing that is being read moves away.
  const [chosen, choose] = useState(true);
  const body = useId();
  const extras = useContext(TaskExtras);
  const fallback = said ? null : task.output;
  const empty =
    task.steps.every((step) => step.id === elsewhere && !(step.kind === "call" && step.thinking)) &&
    !inner.work &&
    !fallback &&
    !task.error;
  const open = !empty && chosen;
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
        <span className="task-name">{inWords(task.name)}</span>
        <span className="sr-only">{SAYS[look]}</span>
        <span className="chevron" aria-hidden>
          {!empty && <Chevron />}
        </span>
      </button>
      {extras?.(task)}
      <div id={body} className="task-body" hidden={!open && notes.length === 0}>
        {open ? (
          <Steps
            steps={task.steps}
            notes={notes}
            agent={task.agent}
            fallback={fallback}
            elsewhere={elsewhere}
            live={look === "running"}
            {...inner}
          />
        ) : (
          // What was said to the crew, and what it asked, stays in sight.
          <Steps steps={[]} notes={notes} />
        )}
        {open && task.error && look !== "stopped" && (
          <p className="task-error">
            <InShort error={task.error} />
          </p>
        )}
      </div>
    </li>
  );
});

const KINDS: Record<GroupView["kind"], string> = { flow: "Flow", method: "Method", crew: "Crew" };

interface GroupProps {
  readonly group: GroupView;
  readonly look: Look;
  /** Which time it is, if there are several. */
  readonly round: number | undefined;
  readonly error: string | null;
  readonly depth: number;
  readonly children: ReactNode;
}

/** A flow, a method of it, or a crew: a headed section around all that is in it. */
function Group({ group, look, round, error, depth, children }: GroupProps) {
  const [open, setOpen] = useState(true);
  const body = useId();
  // Below the page's own headings, and no deeper than HTML goes.
  const Heading = `h${Math.min(depth + 3, 6)}` as "h3";
  return (
    <li className="group" data-kind={group.kind} data-state={look} data-testid="group">
      <Marker look={look} />
      <Heading className="group-title">
        <button
          type="button"
          className="task-head"
          aria-expanded={open}
          aria-controls={body}
          onClick={() => setOpen(!open)}
        >
          <span className="group-kind">{KINDS[group.kind]}</span>
          <span className="group-name">{inWords(group.name)}</span>
          {round && <span className="group-more">{group.kind === "method" ? `round ${round}` : `no. ${round}`}</span>}
          {group.route && <span className="group-more">→ {inWords(group.route)}</span>}
          <span className="sr-only">{SAYS[look]}</span>
          <span className="chevron" aria-hidden>
            <Chevron />
          </span>
        </button>
      </Heading>
      <div id={body} className="group-body" hidden={!open}>
        {children}
        {error && (
          <p className="task-error">
            <InShort error={error} />
          </p>
        )}
      </div>
    </li>
  );
}

const inWords = (name: string): string => name.replaceAll("_", " ");

function Marker({ look }: { look: Look }) {
  return (
    <span className="marker" aria-hidden>
      {look === "completed" ? <Check /> : look === "failed" ? <Cross /> : look === "paused" ? <PauseBars /> : <i />}
    </span>
  );
}
