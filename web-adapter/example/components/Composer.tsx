"use client";

import { ComposerPrimitive, useAui, useAuiState } from "@assistant-ui/react";
import { openQuestion } from "crew-web-adapter";
import { useState, type ChangeEvent, type FormEvent, type KeyboardEvent } from "react";
import { Accept, named, Options, Submit, submitOnEnter } from "./Answer";
import { clock, mannerOf } from "./answering";
import { COMPOSER, focusComposer, keepFocus } from "./composer-focus";
import { Trouble } from "./Connection";
import { PauseButton, STOP, StopButton } from "./Controls";
import { crew } from "./crew";
import { editLast } from "./edit-last";
import { useKey } from "./keyboard";
import { askerOf } from "./phase";
import { Refusal } from "./Refusal";
import { Starting } from "./Starting";
import { Status } from "./Status";
import { changeOf, Steering, TO_ALL } from "./Steering";
import { useCommand } from "./useCommand";
import { useLiveRun, useNewestRun } from "./useRun";

/** What becomes of what is typed. */
type Mode = "start" | "follow" | "steer" | "answer";

/** Said when a mode has come while something written for another one stands in the box. */
const TURNED: Record<Mode, string | undefined> = {
  start: undefined,
  follow: "The run is over. Sent now, this starts another one.",
  steer: "Sent now, this steers the crew.",
  answer: "The crew has asked meanwhile. Sent now, this is your answer.",
};

/** The page's one box: a brief for the next run, a word to the crew that is at it, or the answer to what it asks. */
export function Composer() {
  const aui = useAui();
  const running = useAuiState(({ thread }) => thread.isRunning);
  const fresh = useAuiState(({ thread }) => thread.isEmpty);
  const words = useAuiState(({ composer }) => composer.text.trim());
  const run = useLiveRun();
  const giving = useCommand(useNewestRun()?.run);
  const { busy, refusal, give } = giving;
  const [steering, setSteering] = useState(TO_ALL);
  const [writtenAs, setWrittenAs] = useState<Mode>();
  const question = run ? openQuestion(run) : null;
  const asker = run && question ? askerOf(run, question) : "";
  const mode: Mode = question ? "answer" : running ? "steer" : fresh ? "start" : "follow";

  /** What was typed in the meantime stays. */
  const giveText = async (command: (run: string) => Promise<unknown>) => {
    const { text } = aui.composer.getState();
    const id = run?.run;
    if (!id || !(await give(() => command(id)))) return;
    setSteering(TO_ALL);
    if (aui.composer.getState().text === text) aui.composer.setText("");
  };
  const onSubmit = (event: FormEvent) => {
    if (!running) return;
    event.preventDefault();
    if (busy || !words || !run) return;
    if (question) void giveText((id) => crew.answer(id, question.id, words));
    else void giveText((id) => crew.modify(id, changeOf(words, steering, run)));
  };
  const answer = (text: string) => run?.run && void give(() => crew.answer(run.run!, question!.id, text));
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // assistant-ui would queue it.
    if (running) submitOnEnter(event);
  };
  useKey({ key: "/", label: "Write", act: focusComposer });
  useKey({ key: "ArrowUp", where: "empty composer", label: "Edit the last brief", act: editLast });
  useKey({
    key: "Escape",
    where: "composer",
    label: "While the crew works: to Stop, and Enter stops it; once more: back",
    act: () => document.getElementById(STOP)?.focus(),
  });

  const { name, ...box } = {
    ...BOXES[mode],
    ...(question && { ...named(question, asker), name: mannerOf(question).send }),
  };
  return (
    <>
      {refusal && <Refusal error={refusal} />}
      <div className="row">
        <Trouble />
        {running ? (
          <>
            <Status run={run} />
            <div className="controls" role="group" aria-label="Controls" ref={keepFocus}>
              <PauseButton run={run} giving={giving} />
              <StopButton run={run} giving={giving} otherwise={() => aui.thread.cancelRun()} />
            </div>
          </>
        ) : (
          <Starting following={mode === "follow"} />
        )}
      </div>
      <ComposerPrimitive.Root className="composer" data-mode={mode} onSubmit={onSubmit}>
        {question && <Options question={question} busy={busy} onAnswer={answer} />}
        <ComposerPrimitive.Input
          id={COMPOSER}
          className="composer-input"
          {...box}
          rows={1}
          maxRows={8}
          onKeyDown={onKeyDown}
          onChange={({ target }: ChangeEvent<HTMLTextAreaElement>) =>
            setWrittenAs(target.value.trim() ? mode : undefined)
          }
          cancelOnEscape={false}
          // The page is for this one field, and nothing is above it that a reader would miss.
          // oxlint-disable-next-line jsx-a11y/no-autofocus
          autoFocus
        />
        <div className="composer-acts">
          {question && <Accept question={question} busy={busy} words={words} onAccept={() => answer("")} />}
          <Submit name={name} off={busy || !words || (running && !run?.run)} />
        </div>
        {mode === "steer" && run && words && <Steering run={run} to={steering} onChange={setSteering} />}
        {question && question.expires !== null && <p className="composer-hint">Open until {clock(question.expires)}</p>}
        <p className="composer-hint" role="status">
          {words && writtenAs && writtenAs !== mode ? TURNED[mode] : null}
        </p>
      </ComposerPrimitive.Root>
    </>
  );
}

const BOXES: Record<Mode, { readonly "aria-label": string; readonly placeholder: string; readonly name: string }> = {
  start: { "aria-label": "Brief", placeholder: "Write a brief", name: "Send" },
  follow: { "aria-label": "Follow-up brief", placeholder: "Follow up", name: "Send" },
  steer: { "aria-label": "Instruction", placeholder: "Steer the crew", name: "Steer" },
  answer: { "aria-label": "Answer", placeholder: "Answer", name: "Send answer" },
};
