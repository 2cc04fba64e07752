import type { ReactNode } from "react";
import { explain, type Explained } from "./explain";
import { Problem } from "./Outcome";

export interface FailedProps {
  readonly error: Explained;
  readonly model: string | null;
  /** The way out, where there is one. */
  readonly action?: ReactNode;
}

export function Whole({ error, model, action }: FailedProps) {
  const { title, hint, details } = explain(error, { model });
  return (
    <Problem title={title} details={details} action={action}>
      {hint}
    </Problem>
  );
}

export const Title = ({ error }: { readonly error: string }) => <>{explain({ code: "error", message: error }).title}</>;
