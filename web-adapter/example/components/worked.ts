import { isFinal, type RunView } from "crew-web-adapter";

/** A length of time as people say it: "< 0.1 s", "0.8 s", "16 s", "2 min 5 s", "1 h 3 min". */
export function lasting(s: number): string {
  if (s < 0.1) return "< 0.1 s";
  if (s < 0.95) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? [`${minutes} min`, whole % 60 && `${whole % 60} s`].filter(Boolean).join(" ")
    : [`${Math.floor(minutes / 60)} h`, minutes % 60 && `${minutes % 60} min`].filter(Boolean).join(" ");
}

export const count = (n: number, noun: string) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

/** How long a run took or has taken by `now`, and for how long of that nobody worked; ms. */
export interface Spent {
  readonly all: number;
  readonly paused: number;
  readonly waiting: number;
}

/** `now`: Unix ms. null: it has not begun. */
export function spentOf({ state, started, ended, since, stood }: RunView, now: number): Spent | null {
  if (started === null) return null;
  const until = ended ?? now;
  const here = (standing: keyof typeof stood) =>
    stood[standing] + (state === standing && since !== null ? Math.max(0, until - since) : 0);
  return { all: Math.max(0, until - started), paused: here("paused"), waiting: here("waiting") };
}

/** Seconds that a run has worked by `now` (Unix ms), pauses and questions left out; null before it began. */
export function workedFor(run: RunView, now: number | null = null): number | null {
  const stands = run.state === "paused" || run.state === "waiting";
  const until = run.ended ?? (stands ? run.since : now);
  const spent = until === null ? null : spentOf(run, until);
  return spent && Math.max(0, spent.all - spent.paused - spent.waiting) / 1_000;
}

/**
 * What a run took, in one line: "Worked 16 s · 3 agents · 1 tool · 2,310 tokens"; what it has taken by `now`
 * (Unix ms) while it goes on.
 */
export function workedLine(run: RunView, now: number | null = null): string {
  const took = workedFor(run, now);
  const agents = new Set<string>();
  const tools = new Set<string>();
  for (const { kind, steps, ...item } of [{ ...run, kind: null }, ...run.work]) {
    if ("agent" in item && item.state !== "pending" && item.agent.trim()) agents.add(item.agent.trim());
    for (const step of steps) {
      if (step.kind !== "aside" && step.agent?.trim()) agents.add(step.agent.trim());
      if (step.kind === "tool") tools.add(step.tool);
    }
  }
  const { prompt_tokens, completion_tokens } = run.usage;
  return [
    `${isFinal(run.state) ? "Worked" : "Working"}${took === null ? "" : ` ${lasting(took)}`}`,
    agents.size > 0 && count(agents.size, "agent"),
    tools.size > 0 && count(tools.size, "tool"),
    prompt_tokens + completion_tokens > 0 && count(prompt_tokens + completion_tokens, "token"),
  ]
    .filter(Boolean)
    .join(" · ");
}
