"use client";

import { isFinal, type RunSnapshot } from "crew-web-adapter";
import { useCrewRun } from "crew-web-adapter/react";
import Link from "next/link";
import { useState, type KeyboardEvent } from "react";
import { addressOfRun } from "../address";
import { crew } from "../crew";
import { explain } from "../explain";
import { Bin, Square } from "../icons";
import { count } from "../worked";
import { STATES, unconfirmed } from "../phase";
import { Refusal } from "../Refusal";
import { useCommand } from "../useCommand";
import { useUnconfirmed } from "../useUnconfirmed";
import { briefOf } from "./brief";
import { placeInWords } from "./order";
import { Duration, When } from "./When";

interface RowProps {
  readonly run: RunSnapshot;
  /** Whether its crew is worth a word: there are several. */
  readonly namesCrew: boolean;
}

interface OpenProps extends RowProps {
  /** Whether it moves with its run, and not only with the list. */
  readonly followed: boolean;
}

/** A run that is not over yet. */
export function OpenRow({ run, followed, namesCrew }: OpenProps) {
  const view = useCrewRun(crew, followed ? run.run : null, run);
  const { state, usage } = "tasks" in view ? view : run;
  const tasks = "tasks" in view ? view.tasks : run.tasks;
  const now = { ...run, state, usage, tasks };
  const { refusal, give } = useCommand(run.run);
  const pending = useUnconfirmed(run.run);
  const brief = briefOf(run);
  const off = state === "cancelling" || isFinal(state);
  return (
    <li className="run-row" data-run={run.run} data-state={state} data-testid="run">
      <div className="run">
        <Brief run={run} />
        <Facts run={now} namesCrew={namesCrew} />
        {state === "waiting" && run.input && (
          <p className="run-asks" dir="auto">
            {run.input.prompt}
          </p>
        )}
        {tasks.length > 0 && (
          <p className="run-bar" aria-hidden>
            {tasks.map((task) => (
              <i key={task.tid ?? task.name} data-state={task.state} />
            ))}
          </p>
        )}
        {pending && (
          <p className="run-pending" role="status">
            {Object.values(unconfirmed(pending)).join(" ")}
          </p>
        )}
        {refusal && <Refusal error={refusal} />}
      </div>
      <button
        type="button"
        className="run-act"
        data-look="outlined"
        aria-label={`Stop ${short(brief)}`}
        title={state === "cancelling" ? "It is being stopped" : "Stop"}
        aria-disabled={off}
        onClick={() => off || void give(() => crew.cancel(run.run, "stopped"))}
      >
        <Square />
      </button>
    </li>
  );
}

interface OverProps extends RowProps {
  readonly onRemove: (run: string) => Promise<void>;
}

/** A run that is over. */
export function OverRow({ run, namesCrew, onRemove }: OverProps) {
  const [mode, setMode] = useState<"rest" | "sure" | "kept">("rest");
  const { busy, refusal, give } = useCommand(run.run);
  const brief = briefOf(run);
  const onKeyDown = ({ key }: KeyboardEvent) => key === "Escape" && setMode("kept");
  return (
    <li className="run-row" data-run={run.run} data-state={run.state} data-testid="run">
      <div className="run">
        <Brief run={run} />
        <Facts run={run} namesCrew={namesCrew} />
        {run.error && (
          <p className="run-asks" dir="auto">
            {explain(run.error, run).title}
          </p>
        )}
        {refusal && <Refusal error={refusal} />}
      </div>
      {mode === "sure" ? (
        <div className="run-sure" role="group" aria-label={`Delete ${short(brief)}?`}>
          <span>Delete it?</span>
          <button
            type="button"
            className="link"
            // Where the focus was is gone, and it is one press from there.
            // oxlint-disable-next-line jsx-a11y/no-autofocus
            autoFocus
            aria-disabled={busy}
            onKeyDown={onKeyDown}
            onClick={() => busy || void give(() => onRemove(run.run))}
          >
            Delete
          </button>
          <button type="button" className="link" onKeyDown={onKeyDown} onClick={() => setMode("kept")}>
            Keep
          </button>
        </div>
      ) : (
        <button
          type="button"
          className="run-act"
          aria-label={`Delete ${short(brief)}`}
          title="Delete"
          // oxlint-disable-next-line jsx-a11y/no-autofocus
          autoFocus={mode === "kept"}
          onClick={() => setMode("sure")}
        >
          <Bin />
        </button>
      )}
    </li>
  );
}

/** The way to its page; the whole row is pressed for it. */
const Brief = ({ run }: { readonly run: RunSnapshot }) => (
  <Link href={addressOfRun(run.run)} className="run-brief" dir="auto" prefetch={false}>
    {briefOf(run)}
  </Link>
);

interface FactsProps {
  readonly run: Omit<RunSnapshot, "tasks"> & {
    readonly tasks: readonly Pick<RunSnapshot["tasks"][number], "agent" | "state">[];
  };
  readonly namesCrew: boolean;
}

function Facts({ run, namesCrew }: FactsProps) {
  const { state, tasks, started, finished, created, usage, model, forked, position } = run;
  const live = !isFinal(state);
  const at = tasks.find((task) => task.state === "running");
  const tokens = usage.prompt_tokens + usage.completion_tokens;
  return (
    <p className="run-facts">
      <span className="run-state">
        <i aria-hidden />
        {state === "queued" && position ? placeInWords(position) : STATES[state]}
      </span>
      {live && at && <span>{at.agent}</span>}
      {live && tasks.length > 0 && (
        <span>
          {tasks.filter((task) => task.state === "completed").length} of {count(tasks.length, "task")}
        </span>
      )}
      {started !== null && (
        <span>
          <Duration from={started} to={live ? null : finished} />
        </span>
      )}
      {tokens > 0 && <span>{count(tokens, "token")}</span>}
      {model !== null && model !== run.crew && <span>{model === "offline" ? "offline model" : model}</span>}
      {namesCrew && <span>{run.crew}</span>}
      {forked && <span>from {forked.task.replaceAll("_", " ")} on</span>}
      <When ms={created} />
    </p>
  );
}

const short = (brief: string): string => (brief.length > 60 ? `${brief.slice(0, 60).trimEnd()}…` : brief);
