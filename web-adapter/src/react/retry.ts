import { backoff } from "../backoff.ts";
import type { CrewError } from "../errors.ts";
import { sleep } from "../timer.ts";
import { toCrewError } from "./report.ts";

/**
 * Tries until it works or is refused for good, with growing waits (full jitter, at most 10 s); `failed`
 * hears of each error. On abort, and after what was for good, it just ends.
 */
export async function retry(
  attempt: () => Promise<void>,
  failed: (error: CrewError) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted) return;
      const told = toCrewError(error);
      failed(told);
      if (!told.temporary) return;
    }
    await sleep(backoff(tries), signal).catch(() => {});
  }
}
