/**
 * Milliseconds to wait before try number `attempt` (from 0): full jitter, so that a thousand
 * clients of a restarted server do not all come back at the same moment
 * (AWS Architecture Blog, "Exponential Backoff and Jitter", 2015).
 *
 * Uniform in [0, min(cap, base * 2^attempt)). `random` gives [0, 1).
 */
export function backoff(attempt: number, random: () => number = Math.random, base = 250, cap = 10_000): number {
  return random() * Math.min(cap, base * 2 ** attempt);
}
