"use client";

import type { RunView } from "crew-web-adapter";
import { useState, type FormEvent } from "react";
import { Submit, submitOnEnter } from "../Answer";
import { COMPOSER, keepFocus } from "../composer-focus";
import { crew } from "../crew";
import { Refusal } from "../Refusal";
import { changeOf, Steering, TO_ALL } from "../Steering";
import { useCommand } from "../useCommand";

/** Says something to a live run: to whoever is next, or to whoever does one task; at once, if it is to be. */
export function Steer({ run, id }: { readonly run: RunView; readonly id: string }) {
  const [text, setText] = useState("");
  const [to, setTo] = useState(TO_ALL);
  const { busy, refusal, give } = useCommand(id);
  const words = text.trim();
  const off = busy || !words || run.state === "cancelling";
  const steer = async () => {
    if (!(await give(() => crew.modify(id, changeOf(words, to, run))))) return;
    setTo(TO_ALL);
    // What was typed in the meantime stays.
    setText((now) => (now === text ? "" : now));
  };
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (!off) void steer();
  };
  return (
    <div ref={keepFocus}>
      {refusal && <Refusal error={refusal} />}
      <form className="composer" data-mode="steer" aria-label="Steer" onSubmit={onSubmit}>
        <textarea
          id={COMPOSER}
          className="composer-input"
          aria-label="Instruction"
          placeholder="Steer the crew"
          dir="auto"
          rows={1}
          value={text}
          onChange={({ target }) => setText(target.value)}
          onKeyDown={submitOnEnter}
        />
        <div className="composer-acts">
          <Submit name="Steer" off={off} />
        </div>
        {words && <Steering run={run} to={to} onChange={setTo} />}
      </form>
    </div>
  );
}
