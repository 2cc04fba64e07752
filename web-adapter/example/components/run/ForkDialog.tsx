"use client";

import { isFinal, type RunView } from "crew-web-adapter";
import { useRouter } from "next/navigation";
import { useEffect, useId, useRef, useState, type FormEvent } from "react";
import { addressOfRun } from "../address";
import { crew } from "../crew";
import { Refusal } from "../Refusal";
import { useCommand } from "../useCommand";
import { fieldsOf, likelyOf, readFields, startsOf, type Field, type Start } from "./fork";

interface ForkDialogProps {
  readonly run: RunView;
  /** The `tid` of the task that was chosen; null: none was. */
  readonly task: string | null;
  readonly onClose: () => void;
}

/** Begins another run at a task of this one: which is kept, with which inputs, what to be asked about. */
export function ForkDialog({ run, task, onClose }: ForkDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="fork" aria-labelledby={title} closedby="any" onClose={onClose}>
      <h2 id={title}>Run again from here</h2>
      <p className="hint">
        A new run keeps what is done before the task that it begins at; no model is asked for that.
      </p>
      <ForkForm run={run} task={task} onLeave={() => dialog.current?.close()} />
    </dialog>
  );
}

interface ForkFormProps extends Pick<ForkDialogProps, "run" | "task"> {
  readonly onLeave: () => void;
}

function ForkForm({ run, task, onLeave }: ForkFormProps) {
  const router = useRouter();
  const starts = startsOf(run);
  const [from, setFrom] = useState(() => task ?? likelyOf(starts)?.tid);
  const [review, setReview] = useState<ReadonlySet<string>>(new Set());
  // What it was given when the dialog was opened: what somebody says to the run meanwhile is not what is edited.
  const [given] = useState(run.inputs);
  const [fields, setFields] = useState(() => fieldsOf(given));
  const [wrong, setWrong] = useState<Readonly<Record<string, string>>>({});
  const { busy, refusal, give } = useCommand(run.run);
  const at = starts.findIndex(({ task: { tid } }) => tid === from);

  const edit = (name: string, text: string) => {
    setFields(fields.map((field) => (field.name === name ? { ...field, text } : field)));
    setWrong({});
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const read = readFields(fields, given);
    if ("wrong" in read) return setWrong(read.wrong);
    const begun = starts[at];
    if (busy || !begun || !run.run) return;
    const origin = { run: run.run, task: begun.task.tid };
    const asked = starts.slice(at).flatMap(({ task: { tid, name } }) => (review.has(tid) ? [name] : []));
    void give(async () => {
      const fork = await crew.start(read.inputs, {
        from: origin,
        review: asked,
        ...(run.thread !== null && { thread: run.thread, parallel: !isFinal(run.state) }),
      });
      router.push(addressOfRun(fork));
    });
  };
  return (
    <form onSubmit={submit}>
      <fieldset>
        <legend>Begin at</legend>
        <ol className="fork-tasks">
          {starts.map((start, n) => (
            <TaskRow
              key={start.task.tid}
              start={start}
              kept={n < at}
              chosen={n === at}
              onChoose={() => setFrom(start.task.tid)}
              asked={review.has(start.task.tid)}
              onAsk={(asks) => setReview(withOr(review, start.task.tid, asks))}
            />
          ))}
        </ol>
      </fieldset>
      {fields.length > 0 && (
        <fieldset>
          <legend>Inputs</legend>
          {fields.map((field) => (
            <Input key={field.name} field={field} wrong={wrong[field.name]} onEdit={(text) => edit(field.name, text)} />
          ))}
        </fieldset>
      )}
      {refusal && <Refusal error={refusal} />}
      <div className="fork-buttons">
        <button type="submit" className="pill" data-primary aria-disabled={busy || at < 0}>
          {busy ? "Starting…" : "Start the run"}
        </button>
        <button type="button" className="pill" onClick={onLeave}>
          Cancel
        </button>
      </div>
    </form>
  );
}

function withOr(chosen: ReadonlySet<string>, tid: string, is: boolean): ReadonlySet<string> {
  const next = new Set(chosen);
  if (is) next.add(tid);
  else next.delete(tid);
  return next;
}

interface TaskRowProps {
  readonly start: Start;
  readonly kept: boolean;
  readonly chosen: boolean;
  readonly onChoose: () => void;
  readonly asked: boolean;
  readonly onAsk: (asks: boolean) => void;
}

function TaskRow({ start: { task, possible }, kept, chosen, onChoose, asked, onAsk }: TaskRowProps) {
  const name = task.name.replaceAll("_", " ");
  return (
    <li data-kept={kept || undefined}>
      <label className="fork-task">
        <input type="radio" name="from" checked={chosen} disabled={!possible} onChange={onChoose} />
        <span>
          <span className="fork-agent" dir="auto">
            {task.agent}
          </span>{" "}
          <span className="fork-name" dir="auto">
            {name}
          </span>
        </span>
      </label>
      {kept ? (
        <span className="fork-what">kept</span>
      ) : (
        <label className="fork-what">
          <input
            type="checkbox"
            checked={asked}
            aria-label={`Ask me about ${name}`}
            onChange={(event) => onAsk(event.target.checked)}
          />
          ask me
        </label>
      )}
      {!possible && <span className="hint">What comes before it is not done.</span>}
    </li>
  );
}

interface InputProps {
  readonly field: Field;
  readonly wrong: string | undefined;
  readonly onEdit: (text: string) => void;
}

function Input({ field: { name, kind, text }, wrong, onEdit }: InputProps) {
  const id = useId();
  return (
    <p className="fork-input">
      <label htmlFor={id}>{name.replaceAll("_", " ")}</label>
      <textarea
        id={id}
        data-kind={kind}
        dir="auto"
        rows={1}
        spellCheck={kind === "text"}
        value={text}
        aria-invalid={wrong !== undefined}
        aria-describedby={wrong === undefined ? undefined : `${id}-wrong`}
        onChange={(event) => onEdit(event.target.value)}
      />
      {wrong !== undefined && (
        <span id={`${id}-wrong`} className="refused" role="alert">
          {wrong}
        </span>
      )}
    </p>
  );
}
