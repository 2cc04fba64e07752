import type { EventData, EventType, RunEvent } from "../../src/index.ts";
import { numbers } from "../numbers.ts";

type Fields = Partial<Pick<RunEvent, "task" | "agent" | "tid" | "in" | "method" | "final">>;

/** A log written line by line: `say` puts an event that many ms behind the one before. */
export function written() {
  const events: RunEvent[] = [];
  let ts = 1_000;
  const say = <Type extends EventType>(
    type: Type,
    ms: number,
    data: EventData[Type],
    fields: Fields = {},
  ): RunEvent => {
    ts += ms;
    const seq = events.length + 1;
    const event = { type, run: "r", seq, id: `e-${seq}`, ts, at: ts, data, ...fields } as unknown as RunEvent;
    events.push(event);
    return event;
  };
  return { events, say };
}

/**
 * A run of three tasks side by side that nobody thought out: calls, tools, waits, pauses, another attempt, and clocks
 * that are set back.
 */
export function random(seed: number, length: number): readonly RunEvent[] {
  const next = numbers(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)]!;
  const { events, say } = written();
  const ms = () => (next() < 0.05 ? -next() * 500 : next() * 40);
  const tasks = (attempt: number) =>
    ["a", "b", "c"].map((name, n) => ({ name, agent: `Agent ${name}`, tid: `${attempt}.${n}` }));
  let attempt = 1;
  let open: string[] = [];
  let paused = false;
  say("run.queued", 0, { crew: "default", inputs: {}, review: [], position: 0 });
  say("run.started", ms(), { model: "m", attempt, tasks: tasks(attempt) });
  for (let n = 0; events.length < length; n += 1) {
    const { name: task, agent, tid } = pick(tasks(attempt));
    const who = { task, agent: next() < 0.2 ? "Somebody else" : agent, tid };
    const [kind = "", call = ""] = open.length > 0 ? pick(open).split(" ") : [];
    const ended = () => (open = open.filter((one) => one !== `${kind} ${call}`));
    const act = Math.floor(next() * 12);
    if (act === 0) say("task.started", ms(), { name: task, index: 1, of: 3 }, who);
    else if (act === 1) {
      open.push(`llm c${n}`);
      say("llm.started", ms(), { call: `c${n}`, model: "m" }, who);
    } else if (act === 2) {
      open.push(`tool t${n}`);
      say("tool.started", ms(), { call: `t${n}`, tool: "look", args: {} }, who);
    } else if (act < 6 && kind === "llm") say("llm.delta", ms(), { call, text: "w ", kind: "text" }, who);
    else if (act < 8 && kind === "llm") {
      ended();
      say("llm.completed", ms(), { call, usage: { prompt_tokens: 3, completion_tokens: 1 }, finish_reason: null }, who);
    } else if (act < 8 && kind === "tool") {
      ended();
      say("tool.completed", ms(), { call, output: "ok", seconds: 0 }, who);
    } else if (act === 8) say("task.completed", ms(), { output: "done" }, who);
    else if (act === 9) {
      paused = !paused;
      if (paused) say("run.paused", ms(), { boundary: "token" });
      else say("run.resumed", ms(), {});
    } else if (act === 10 && next() < 0.3) {
      say("input.requested", ms(), { input: `i${n}`, prompt: "Well?", output: null, expires: null }, who);
      say("input.answered", ms(), { input: `i${n}`, text: "" });
    } else if (act === 11 && next() < 0.1) {
      attempt += 1;
      [open, paused] = [[], false];
      say("run.started", ms(), { model: "m", attempt, tasks: tasks(attempt), kept: [] });
    }
  }
  return events;
}
