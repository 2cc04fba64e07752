"use client";

import { useAui, useAuiState } from "@assistant-ui/react";
import { useEffect, useRef } from "react";
import { Chevron } from "../icons";

/** The step that was just made: another version is another message, and its button gets the focus. */
let made: string | undefined;

/** Of a message that was edited or answered again: which version is shown, and the way to the others. */
export function Branches({ of }: { readonly of: "brief" | "answer" }) {
  const number = useAuiState(({ message }) => message.branchNumber);
  const count = useAuiState(({ message }) => message.branchCount);
  const live = useAuiState(({ thread }) => thread.isRunning);
  if (count < 2) return null;
  return (
    <div className="branches" role="group" aria-label={`Versions of the ${of}`}>
      <Step to="previous" hindrance={live ? LIVE : number <= 1 ? "This is the first one" : undefined} />
      <span aria-live="polite">
        <span className="sr-only">Version </span>
        {number} <span aria-hidden>/</span>
        <span className="sr-only">of</span> {count}
      </span>
      <Step to="next" hindrance={live ? LIVE : number >= count ? "This is the newest one" : undefined} />
    </div>
  );
}

const LIVE = "Not while the crew is at work";
const NAMES = { previous: "Previous version", next: "Next version" };

interface StepProps {
  readonly to: "previous" | "next";
  readonly hindrance: string | undefined;
}

function Step({ to, hindrance }: StepProps) {
  const aui = useAui();
  const index = useAuiState(({ message }) => message.index);
  const button = useRef<HTMLButtonElement>(null);
  const step = `${index} ${to}`;
  useEffect(() => {
    if (made !== step) return;
    made = undefined;
    button.current?.focus({ preventScroll: true });
  }, [step]);
  const go = () => {
    made = step;
    aui.message.switchToBranch({ position: to });
  };
  return (
    <button
      ref={button}
      type="button"
      className="act"
      data-to={to}
      aria-label={NAMES[to]}
      title={hindrance ?? NAMES[to]}
      // The last step to either side must not take the focus away.
      aria-disabled={hindrance !== undefined}
      onClick={() => hindrance === undefined && go()}
    >
      <Chevron />
    </button>
  );
}
