import type { CrewClient } from "../client.ts";
import { CrewError } from "../errors.ts";
import type { CrewAdapterOptions } from "./options.ts";

type Callback = "onEvent" | "onFinish" | "onError" | "onQuestion";

export type Report = <Name extends Callback>(
  name: Name,
  ...told: Parameters<NonNullable<CrewAdapterOptions[Name]>>
) => void;

/** Runs and questions of which a page remembers that it has told the app. */
const REMEMBERED = 1_000;

const remembered = new WeakMap<CrewClient, Set<string>>();

/** Whether a page says `what` for the first time, however often its components are mounted. */
export function isFirst(client: CrewClient, what: string): boolean {
  const known = remembered.get(client) ?? new Set();
  remembered.set(client, known);
  if (known.has(what)) return false;
  const [oldest = ""] = known.add(what);
  if (known.size > REMEMBERED) known.delete(oldest);
  return true;
}

/** What the app's own functions throw is told as any other error is, and whole in the console. */
export function toCrewError(error: unknown): CrewError {
  if (error instanceof CrewError) return error;
  console.error(error);
  return new CrewError({ code: "error", message: String(error), temporary: false });
}

/** Calls the app back; what a callback throws is the app's, and stops nothing. */
export const createReport =
  (options: () => CrewAdapterOptions): Report =>
  (name, ...told) => {
    try {
      (options()[name] as ((...told: unknown[]) => void) | undefined)?.(...told);
    } catch (error) {
      console.error(error);
    }
  };
