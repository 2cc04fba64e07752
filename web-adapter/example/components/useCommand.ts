import { CrewError } from "crew-web-adapter";
import { useCallback, useState } from "react";

/** A refusal as a sentence, with what to do about it. */
export const says = ({ message, temporary }: { readonly message: string; readonly temporary?: boolean }): string =>
  message.replace(/^./, (first) => first.toUpperCase()).replace(/\.?$/, ".") +
  (temporary ? " Try again in a moment." : "");

/**
 * Gives one command at a time, and keeps why the last one was refused. `give` tells whether it was
 * accepted; what a command does shows in the run, not here.
 */
export function useCommand() {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<CrewError>();
  const give = useCallback(async (command: () => Promise<unknown>): Promise<boolean> => {
    setBusy(true);
    setRefusal(undefined);
    try {
      await command();
      return true;
    } catch (error) {
      if (!(error instanceof CrewError)) throw error;
      setRefusal(error);
      return false;
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, refusal, give };
}
