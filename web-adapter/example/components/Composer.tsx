"use client";

import { AuiIf, ComposerPrimitive, useAui, useAuiState } from "@assistant-ui/react";
import type { RunView } from "crew-web-adapter";
import { useState, type FormEvent, type KeyboardEvent, type ReactNode } from "react";
import { PauseButton } from "./Controls";
import { crew } from "./crew";
import { ArrowUp, Square } from "./icons";
import { Refusal } from "./Refusal";
import { Status } from "./Status";
import { useCommand } from "./useCommand";
import { StartOptions } from "./StartOptions";
import { useLiveRun } from "./useRun";
import { useUnconfirmed } from "./useUnconfirmed";

/** One field: the brief for the next run, or, while one is live, a word to the crew that is at it. */
export function Composer() {
  const aui = useAui();
  const live = useAuiState(({ thread }) => thread.isRunning);
  const empty = useAuiState(({ composer }) => composer.text.trim() === "");
  const run = useLiveRun();
  const [now, setNow] = useState(false);
  const pending = useUnconfirmed(run?.run);
  const giving = useCommand(run?.run);
  const { busy, refusal, give } = giving;

  const steer = async () => {
    const text = aui.composer.getState().text;
    const id = run?.run;
    if (!id || busy || text.trim() === "") return;
    const accepted = await give(() =>
      crew.modify(id, { instruction: text.trim(), ...(now && isWriting(run) && { now }) }),
    );
    if (!accepted) return;
    setNow(false);
    // What was typed in the meantime stays.
    if (aui.composer.getState().text === text) aui.composer.setText("");
  };
  const onSubmit = (event: FormEvent) => {
    if (!live) return;
    event.preventDefault();
    void steer();
  };
  // assistant-ui lets Enter rest while a run is live.
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (!live || event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  };

  return (
    <>
      <div className="row">
        {live && (refusal ? <Refusal error={refusal} /> : <Status />)}
        {!live && <StartOptions />}
        {isWriting(run) && !pending && (
          <Toggle
            checked={now}
            onChange={setNow}
            title="Cut off the reply being written and ask for it again with your instruction"
          >
            Interrupt
          </Toggle>
        )}
      </div>
      <ComposerPrimitive.Root className="composer" onSubmit={onSubmit}>
        <ComposerPrimitive.Input
          className="composer-input"
          placeholder={live ? "Steer the crew" : "Write a brief"}
          aria-label={live ? "Instruction" : "Brief"}
          rows={1}
          maxRows={8}
          onKeyDown={onKeyDown}
          cancelOnEscape={false}
          // The page is for this one field, and nothing is above it that a reader would miss.
          // oxlint-disable-next-line jsx-a11y/no-autofocus
          autoFocus
        />
        {live && !empty && (
          <button type="submit" className="round" aria-label="Steer" disabled={busy || !run?.run}>
            <ArrowUp />
          </button>
        )}
        {live && <PauseButton run={run} giving={giving} />}
        <AuiIf condition={({ thread }) => !thread.isRunning}>
          <ComposerPrimitive.Send className="round" aria-label="Send">
            <ArrowUp />
          </ComposerPrimitive.Send>
        </AuiIf>
        <AuiIf condition={({ thread }) => thread.isRunning}>
          <ComposerPrimitive.Cancel className="round" aria-label="Stop">
            <Square />
          </ComposerPrimitive.Cancel>
        </AuiIf>
      </ComposerPrimitive.Root>
    </>
  );
}

/** Whether there may be a reply to cut off. */
const isWriting = (run: RunView | undefined): boolean =>
  run !== undefined && ["running", "pausing", "paused"].includes(run.state);

interface ToggleProps {
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly title: string;
  readonly children: ReactNode;
}

const Toggle = ({ checked, onChange, title, children }: ToggleProps) => (
  <label className="toggle" title={title}>
    <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />
    {children}
  </label>
);
