import type { SteerView } from "crew-web-adapter";
import { Check } from "./icons";

const SAYS: Record<SteerView["state"], string> = {
  accepted: "pending",
  applied: "applied",
  unapplied: "not applied, the run was over",
};

/** What somebody told the crew while it worked. */
export function SteerNote({ note }: { readonly note: SteerView }) {
  return (
    <p className="note" data-state={note.state} data-testid="steer">
      <span>{said(note.change)}</span>
      <span className="note-state">
        {note.state === "applied" && <Check />}
        {SAYS[note.state]}
      </span>
    </p>
  );
}

function said(change: SteerView["change"]): string {
  if ("instruction" in change) {
    const to = change.task === undefined ? "" : ` ${change.task.replaceAll("_", " ")}`;
    return `You steered${to}: ${change.instruction}`;
  }
  if ("task" in change) return `You changed ${change.task.replaceAll("_", " ")}: ${change.description}`;
  return `You changed the brief’s inputs: ${Object.keys(change.inputs).join(", ")}`;
}
