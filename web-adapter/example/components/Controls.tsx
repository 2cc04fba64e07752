import type { RunView } from "crew-web-adapter";
import { crew } from "./crew";
import { PauseBars, Play, Square } from "./icons";
import type { Giving } from "./useCommand";

interface ButtonProps {
  readonly run: RunView | undefined;
  /** Shared by all that steers the run, whose refusal stands where there is room for it. */
  readonly giving: Giving;
}

export function PauseButton({ run, giving: { busy, give } }: ButtonProps) {
  const id = run?.run;
  const paused = run?.state === "paused";
  const hindrance = whyNot(run);
  const name = paused ? "Resume" : "Pause";
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
      disabled={busy || hindrance !== undefined}
      onClick={() => id && void give(() => (paused ? crew.resume(id) : crew.pause(id)))}
    >
      {paused ? <Play /> : <PauseBars />}
    </button>
  );
}

/** Stop outside of a chat, where assistant-ui has one of its own. */
export function StopButton({ run, giving: { busy, give } }: ButtonProps) {
  const id = run?.run;
  return (
    <button
      type="button"
      className="round"
      aria-label="Stop"
      title="Stop"
      disabled={busy || !id || run.state === "cancelling"}
      onClick={() => id && void give(() => crew.cancel(id, "stopped"))}
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
