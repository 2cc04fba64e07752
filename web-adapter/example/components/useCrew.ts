import type { TaskName } from "crew-web-adapter";
import { useEffect, useSyncExternalStore } from "react";
import { crew } from "./crew";

/** A crew as `GET /crews` has it, as far as this page reads it. A flow's tasks are not known before they begin. */
export interface CrewFacts {
  readonly name: string;
  readonly tasks: readonly TaskName[];
}

let known: CrewFacts | undefined;
let looking = false;
const listeners = new Set<() => void>();

/** The crew that a brief goes to; undefined until the sidecar has said so. */
export const crewFacts = (): CrewFacts | undefined => known;

async function look(): Promise<void> {
  if (known || looking) return;
  looking = true;
  try {
    const response = await fetch(`${crew.url}/crews`);
    if (!response.ok) return;
    const { crews } = (await response.json()) as { readonly crews: readonly CrewFacts[] };
    known = crews.find(({ name }) => name === "default") ?? crews[0];
    for (const listener of listeners) listener();
  } catch {
    // It isn't running, which a brief is told: whoever mounts next looks again.
  } finally {
    looking = false;
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useCrew(): CrewFacts | undefined {
  useEffect(() => void look(), []);
  return useSyncExternalStore(subscribe, crewFacts, () => undefined);
}

/** Who is going to work, as a sentence. */
export function whoWorks(facts: CrewFacts | undefined): string {
  const agents = [...new Set(facts?.tasks.map(({ agent }) => agent?.trim()).filter(Boolean))];
  if (agents.length === 0 || agents.length > MANY) return "It goes to work, and you see every step.";
  const names = new Intl.ListFormat("en").format(agents as string[]);
  return `${names} ${agents.length === 1 ? "takes" : "take"} it from there.`;
}

const MANY = 5;
