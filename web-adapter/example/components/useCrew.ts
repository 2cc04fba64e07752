import { CrewError, type CrewInfo } from "crew-web-adapter";
import { useEffect, useSyncExternalStore } from "react";
import { crew } from "./crew";

let known: CrewInfo | undefined;
let looking = false;
const listeners = new Set<() => void>();

/** The crew that a brief goes to; undefined until the sidecar has said so. A flow's tasks are not known before they begin. */
export const crewFacts = (): CrewInfo | undefined => known;

async function look(): Promise<void> {
  if (known || looking) return;
  looking = true;
  try {
    const crews = await crew.crews();
    known = crews.find(({ name }) => name === "default") ?? crews[0];
    for (const listener of listeners) listener();
  } catch (error) {
    // It isn't running, which a brief is told: whoever mounts next looks again.
    if (!(error instanceof CrewError)) throw error;
  } finally {
    looking = false;
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useCrew(): CrewInfo | undefined {
  useEffect(() => void look(), []);
  return useSyncExternalStore(subscribe, crewFacts, () => undefined);
}

/** Who is going to work, as a sentence. */
export function whoWorks(facts: CrewInfo | undefined): string {
  const agents = [...new Set(facts?.tasks.map(({ agent }) => agent?.trim()).filter(Boolean))];
  if (agents.length === 0 || agents.length > MANY) return "It goes to work, and you see every step.";
  const names = new Intl.ListFormat("en").format(agents as string[]);
  return `${names} ${agents.length === 1 ? "takes" : "take"} it from there.`;
}

const MANY = 5;
