"use client";

import type { CrewInfo } from "crew-web-adapter";
import { useEffect, useId, useRef, useState, type FocusEvent } from "react";
import { Chevron } from "./icons";
import { modelName } from "./model";
import { inWords, useStart, type Choosing } from "./start";

/** Beside the field for a brief: who gets it, what they want besides, what they ask about, and their model. */
export function StartOptions() {
  const start = useStart();
  const { crew, crews, inputs } = start;
  if (!crew) return null;
  const names = Object.keys(inputs);
  return (
    <div
      className="start"
      role="group"
      aria-label="For the next brief"
      data-wide={crews.length > 1 || names.length > 0 || undefined}
    >
      {crews.length > 1 && <CrewPicker {...start} crew={crew} />}
      {crew.tasks.length > 0 && <Review {...start} crew={crew} />}
      {crew.model !== null && (
        <p className="start-model" title={`The crew’s model: ${crew.model}`}>
          <span className="sr-only">Model: </span>
          {modelName(crew.model)}
        </p>
      )}
      {crew.error !== undefined && (
        <p className="start-error" role="status" title={crew.error}>
          {`${inWords(crew.name)} can’t be built: ${firstLine(crew.error)}`}
        </p>
      )}
      {names.length > 0 && (
        <div className="start-inputs">
          {names.map((name) => (
            <label key={name}>
              <span>{inWords(name)}</span>
              <input
                value={inputs[name]}
                maxLength={2_000}
                dir="auto"
                required
                placeholder="The crew wants this too"
                onChange={({ target }) => start.setInput(name, target.value)}
              />
            </label>
          ))}
        </div>
      )}
    </div>
  );
}

type Props = Choosing & { readonly crew: CrewInfo };

const firstLine = (text: string) => text.trim().split("\n")[0] ?? "";

function CrewPicker({ crew, crews, setCrew }: Props) {
  return (
    <label className="start-pick">
      <span className="sr-only">Crew</span>
      <select value={crew.name} onChange={({ target }) => setCrew(target.value)}>
        {crews.map(({ name, error }) => (
          <option key={name} value={name} disabled={error !== undefined}>
            {error === undefined ? inWords(name) : `${inWords(name)} (can’t be built: ${firstLine(error)})`}
          </option>
        ))}
      </select>
      <Chevron />
    </label>
  );
}

function Review({ crew, review, toggleReview }: Props) {
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    const onPointerDown = ({ target }: PointerEvent) => {
      if (!place.current?.contains(target as Node)) setOpen(false);
    };
    // Before what else Escape is for on the page.
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      setOpen(false);
      place.current?.querySelector("button")?.focus();
    };
    document.addEventListener("pointerdown", onPointerDown);
    document.addEventListener("keydown", onKeyDown, true);
    return () => {
      document.removeEventListener("pointerdown", onPointerDown);
      document.removeEventListener("keydown", onKeyDown, true);
    };
  }, [open]);
  const onBlur = ({ relatedTarget }: FocusEvent) => {
    if (relatedTarget && !place.current?.contains(relatedTarget as Node)) setOpen(false);
  };
  const tasks = [...new Map(crew.tasks.map((task) => [task.name, task])).values()];
  const chosen = tasks.filter(({ name }) => review.has(name)).map(({ name }) => inWords(name));
  return (
    <div className="start-review" ref={place} onBlur={onBlur}>
      <button
        type="button"
        className="start-button"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        <span>
          {chosen.length === 0
            ? "Ask me after…"
            : `Ask me after ${chosen.length < 2 ? chosen[0] : `${chosen.length} tasks`}`}
        </span>
        <Chevron />
      </button>
      <fieldset className="start-tasks" id={id} hidden={!open}>
        <legend>Ask me after</legend>
        {tasks.map(({ name, agent }) => (
          <label key={name}>
            <input type="checkbox" checked={review.has(name)} onChange={() => toggleReview(name)} />
            <span>
              {inWords(name)}
              {agent && <small>{agent}</small>}
            </span>
          </label>
        ))}
        <p>The crew shows that result and waits for your word.</p>
      </fieldset>
    </div>
  );
}
