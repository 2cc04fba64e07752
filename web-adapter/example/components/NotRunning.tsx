import type { ReactNode } from "react";
import { sidecar } from "./crew";
import { Problem } from "./Outcome";

export const NotRunning = ({ action }: { readonly action?: ReactNode }) => (
  <Problem title="The sidecar isn’t running" action={action}>
    Nothing answers at <code>{sidecar.address()}</code>. Start it with <code>{sidecar.start}</code>, then try again.
  </Problem>
);
