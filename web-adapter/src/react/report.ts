import type { CrewClient } from "../client.ts";
import { CrewError } from "../errors.ts";
import type { FollowOptions } from "../follow.ts";
import type { Frame } from "../protocol.ts";
import { isFinal, openQuestion, type RunView } from "../view.ts";
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
function isFirst(client: CrewClient, what: string): boolean {
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

/** A run's frames, of which the app hears the events. */
export async function* watch(
  client: CrewClient,
  report: Report,
  run: string,
  after: string | null,
  signal?: AbortSignal,
): AsyncGenerator<Frame, void> {
  const options: FollowOptions = { ...(after !== null && { after }), ...(signal && { signal }) };
  for await (const frame of client.follow(run, options)) {
    if ("data" in frame) report("onEvent", frame, run);
    yield frame;
  }
}

/** What a view has to say to the app, once per page: a question, its end. */
export function notice(client: CrewClient, report: Report, view: RunView, restored = false): void {
  const { run } = view;
  if (run === null) return;
  const asks = openQuestion(view);
  if (asks && isFirst(client, `${run}:${asks.id}`)) report("onQuestion", asks, run);
  if (isFinal(view.state) && isFirst(client, run)) report("onFinish", view, { restored });
}
