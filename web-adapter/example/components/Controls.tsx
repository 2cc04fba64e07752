import { isFinal, type RunView } from "crew-web-adapter";
import { focusComposer } from "./composer-focus";
import { crew } from "./crew";
import { PauseBars, Play, Square } from "./icons";
import type { Giving } from "./useCommand";

/** Id of the page's Stop. */
export const STOP = "stop";

interface ButtonProps {
  readonly run: RunView | undefined;
  /** Shared by all that steers the run, whose refusal stands where there is room for it. */
  readonly giving: Giving;
}

/** One button for both, so that what was pressed keeps the focus. What can't be done now says why. */
export function PauseButton({ run, giving: { busy, give } }: ButtonProps) {
  const id = run?.run;
  const paused = run?.state === "paused";
  const hindrance = whyNot(run);
  const name = paused ? "Resume" : "Pause";
  const off = busy || hindrance !== undefined;
  return (
    <button
      type="button"
      className="round"
      data-look={paused ? "accent" : "quiet"}
      aria-label={name}
      // ARIA 1.3 has it for every role; the linter knows 1.2.
      // oxlint-disable-next-line jsx-a11y/role-supports-aria-props
      aria-description={hindrance}
      title={hindrance ?? name}
      aria-disabled={off}
      onClick={() => off || (id && void give(() => (paused ? crew.resume(id) : crew.pause(id))))}
    >
      {paused ? <Play /> : <PauseBars />}
    </button>
  );
}

interface StopProps extends ButtonProps {
  /** What stops a run that has no id yet. */
  readonly otherwise?: () => void;
}

export function StopButton({ run, giving: { give }, otherwise }: StopProps) {
  const known = run?.run && !isFinal(run.state) ? run.run : undefined;
  const hindrance = run?.state === "cancelling" ? "It is being stopped" : undefined;
  const off = hindrance !== undefined || (known === undefined && !otherwise);
  const stop = () => {
    if (known === undefined) otherwise?.();
    else void give(() => crew.cancel(known, "stopped"));
    focusComposer();
  };
  return (
    <button
      type="button"
      id={STOP}
      className="round"
      data-look="outlined"
      aria-label="Stop"
      title={hindrance ?? "Stop"}
      aria-disabled={off}
      onClick={() => off || stop()}
      // Back to where Escape has come from.
      onKeyDown={({ key }) => key === "Escape" && focusComposer()}
    >
      <Square />
    </button>
  );
}

/** Why the run can be neither paused nor resumed at the moment. */
function whyNot(run: RunView | undefined): string | undefined {
  switch (run?.state) {
    case "running":
    case "paused":
      return undefined;
    case "pausing":
      return "It is pausing already";
    case "waiting":
      return "It stands still until you answer";
    case "cancelling":
      return "It is being stopped";
    default:
      return "It has not begun yet";
  }
}
