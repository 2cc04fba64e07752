import type { ReactNode } from "react";
import { explain, type Explained } from "./explain";
import { Problem } from "./Outcome";

interface FailedProps {
  readonly error: Explained;
  readonly model: string | null;
  /** The way out, where there is one. */
  readonly action?: ReactNode;
}

/** Why a run came to nothing, and what to do about it. */
export function Failed({ error, model, action }: FailedProps) {
  const { title, hint, details } = explain(error, { model });
  return (
    <Problem title={title} details={details} action={action}>
      {hint}
    </Problem>
  );
}
