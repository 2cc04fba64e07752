import type { ReactNode } from "react";
import { crew } from "./crew";
import { Problem } from "./Outcome";

export const NotRunning = ({ action }: { readonly action?: ReactNode }) => (
  <Problem title="The sidecar isn’t running" action={action}>
    Nothing answers at <code>{crew.url}</code>. Start it with <code>make serve</code>, then try again.
  </Problem>
);
