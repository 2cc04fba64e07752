import { CrewError } from "crew-web-adapter";
import { useCallback, useState } from "react";

/** A refusal as a sentence, with what to do about it. */
export const says = ({ message, temporary }: { readonly message: string; readonly temporary?: boolean }): string =>
  message.replace(/^./, (first) => first.toUpperCase()).replace(/\.?$/, ".") +
  (temporary ? " Try again in a moment." : "");

export interface Giving {
  readonly busy: boolean;
  /** Why the last command was refused. */
  readonly refusal: CrewError | undefined;
  /** Tells whether it was accepted; what a command does shows in the run, not here. */
  readonly give: (command: () => Promise<unknown>) => Promise<boolean>;
}

/** Gives one command at a time to `subject`, a run for instance: a refusal is of that one, and of no later one. */
export function useCommand(subject?: string | null): Giving {
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<{ readonly subject: typeof subject; readonly error: CrewError }>();
  const give = useCallback(
    async (command: () => Promise<unknown>): Promise<boolean> => {
      setBusy(true);
      setRefused(undefined);
      try {
        await command();
        return true;
      } catch (error) {
        if (!(error instanceof CrewError)) throw error;
        setRefused({ subject, error });
        return false;
      } finally {
        setBusy(false);
      }
    },
    [subject],
  );
  return { busy, refusal: refused?.subject === subject ? refused?.error : undefined, give };
}
