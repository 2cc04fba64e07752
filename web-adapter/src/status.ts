import type { CrewError } from "./errors.ts";
import type { Transport } from "./transport.ts";

export interface ConnectionStatus {
  /**
   * `idle`: nothing to follow. `reconnecting`: broke or was refused, and is tried again; `offline`: the
   * same, and the browser says that it has no network. `asleep`: let go of while the tab is hidden.
   */
  readonly state: "idle" | "connecting" | "open" | "reconnecting" | "offline" | "asleep";
  /** The one in use, or last used. */
  readonly transport: Transport["name"] | null;
  /** Why the sidecar cannot store events at the moment: runs stand still until it can. null: it can. */
  readonly trouble: string | null;
  /** Why it is `reconnecting` or `offline`. */
  readonly error: CrewError | null;
  /** Of the next try, Unix ms; null: none is waited for. */
  readonly retryAt: number | null;
}

/** One that has just come does not make a connection that works look as if it did not. */
const WORST_FIRST: readonly string[] = ["offline", "reconnecting", "asleep", "open", "connecting"];

/** What a client says of all its followers: the worst there is. `transport`: what any of them used last. */
export function statusOf(
  followers: readonly ConnectionStatus[],
  transport: ConnectionStatus["transport"],
): ConnectionStatus {
  const rank = ({ state }: ConnectionStatus): number => WORST_FIRST.indexOf(state);
  const [worst] = [...followers].sort((one, other) => rank(one) - rank(other));
  return {
    state: "idle",
    transport,
    error: null,
    retryAt: null,
    ...worst,
    trouble: followers.find(({ trouble }) => trouble)?.trouble ?? null,
  };
}
