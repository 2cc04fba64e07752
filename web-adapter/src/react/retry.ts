import { backoff } from "../backoff.ts";
import { CrewError } from "../errors.ts";
import { sleep } from "../timer.ts";

/**
 * Tries until it works or is refused for good, with growing waits (full jitter, at most 10 s); `failed`
 * hears of each CrewError. On abort, and after what was for good, it just ends.
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
      if (!(error instanceof CrewError)) throw error;
      failed(error);
      if (!error.temporary) return;
    }
    await sleep(backoff(tries), signal).catch(() => {});
  }
}
