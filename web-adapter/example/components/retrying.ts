import type { CallView, RunView } from "crew-web-adapter";

export type Retrying = NonNullable<CallView["retry"]>;

/** What keeps the model from answering, of the newest call that is to be tried again; undefined: nothing does. */
export const retryingOf = (run: RunView): Retrying | undefined =>
  [run, ...run.work]
    .flatMap(({ steps }) => steps)
    .flatMap((step) => (step.kind === "call" && step.retry ? [step.retry] : []))
    .at(-1);

const WHY: Readonly<Record<string, string>> = {
  "rate limit": "its provider asks to wait",
  overloaded: "its provider is overloaded",
  "server error": "its provider has an error",
  timeout: "it did not answer in time",
  "no connection": "it can’t be reached",
};

export const whyRetrying = ({ reason }: Retrying): string => WHY[reason] ?? `its provider said ${reason}`;

/** When it is tried again, `now` being Unix ms; where nobody knows, that it is. */
export function triedIn({ wait, ts }: Retrying, now: number): string {
  const left = wait === null ? 0 : Math.ceil(wait - (now - ts) / 1_000);
  return left > 0 ? `trying again in ${left} s` : "trying again";
}
