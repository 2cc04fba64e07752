import type { RunEvent } from "crew-web-adapter";
import type { Timeline, Tokens } from "./bars";
import { barOf, createTable, type Making, type Place } from "./table";

export interface Fold {
  /** Takes in the next event; what comes twice, or behind the end, changes nothing. */
  push(event: RunEvent): void;
  /** How many bars there are. */
  size(): number;
  /** As far as was heard; the same one until something has changed. */
  timeline(): Timeline;
}

/**
 * From a run's events to its bars. An event costs what the depth of its work is, however long the run: a token that is
 * not its call's first costs a look into a map. Names and fields that it does not know are passed over.
 */
export function createFold(): Fold {
  const table = createTable();
  const { run, rows, open, add, edit, begin, finish, change } = table;
  /** All calls, ended ones too: tokens that were held back may come behind the end. */
  const calls = new Map<string, Place>();
  let seq = 0;
  let start = Infinity;
  let end = -Infinity;
  let over = false;
  let tokens: Tokens = { prompt: 0, completion: 0, cached: 0 };
  let called = 0;
  /** When the crew was last heard of, by an event of its own. */
  let heard = -Infinity;
  let given: Timeline | null = null;

  function push(event: RunEvent): void {
    if (event.seq <= seq || over) return;
    seq = event.seq;
    start = Math.min(start, event.ts);
    end = Math.max(end, event.ts);
    given = null;
    const [word = "", verb = ""] = event.type.split(".");
    if (word === "run") ofRun(verb, event);
    else if (word === "input") ofInput(event);
    else if (word === "llm") ofCall(event);
    else if (verb === "started" || verb === "completed" || verb === "failed") ofWork(word, verb, event);
    if (keyOf(event) !== undefined || event.type === "run.started") heard = event.ts;
  }

  /** The row of an execution, which is made if there is none; the run's own for what is of none. */
  function rowOf(event: RunEvent): Making {
    const tid = keyOf(event);
    if (tid === undefined) return run;
    const { task, agent = "", method } = event;
    const within = (event.in !== undefined && rows.get(event.in)) || null;
    return (
      rows.get(tid) ??
      (task === undefined
        ? add(tid, method === undefined ? "crew" : "method", method ?? "", "", tid, within)
        : add(tid, "task", agent, task, tid, within))
    );
  }

  /** The row of what an agent does: of one that is not its task's own, a row in the task's. */
  function rowOfAgent(event: RunEvent): Making {
    const row = rowOf(event);
    const agent = event.agent?.trim() ?? "";
    if (row.kind !== "task" || row.tid === null || agent === "" || agent === row.label.trim()) return row;
    const id = `${row.id} ${agent}`;
    return rows.get(id) ?? add(id, "agent", agent, "", row.tid, row);
  }

  function ofRun(verb: string, event: RunEvent): void {
    if (event.final) last(verb, event);
    else if (verb === "queued") begin("queue", "", event, run);
    else if (verb === "started") attempt(event as RunEvent & { readonly type: "run.started" });
    else if (verb === "paused") begin("pause", "", event, run, { label: text(event, "boundary") ?? "" });
    else if (verb === "resumed" && open.has("pause ")) finish("pause", "", event, () => run, "completed");
    else if (verb === "cancelling") {
      for (const place of open.values())
        if (barOf(place).kind === "wait") table.close(place, event.ts, event.seq, "cut");
      table.settled(event);
    }
  }

  function attempt(event: RunEvent & { readonly type: "run.started" }): void {
    const { attempt: nth, tasks, kept = [], model } = event.data;
    if (open.has("queue ")) finish("queue", "", event, () => run, "completed");
    // Who died said nothing any more, but a person was waited for all the while.
    table.cut(event.ts, event.seq, "cut", (kind) => kind !== "wait" && kind !== "pause");
    const before = { ts: heard, seq: seq - 1 };
    if (open.has("attempt ")) table.gap(before, event, "died");
    table.cut(before.ts, before.seq, "cut");
    table.dropPending();
    begin("attempt", "", event, run, { label: String(nth), model });
    edit(run, { state: "running" });
    const told = rows.size > 0;
    for (const task of tasks) {
      const tid = task.tid ?? task.name;
      const known = rows.get(tid);
      const row = known ?? add(tid, "task", task.agent, task.name, tid, null);
      const done = task.output != null || (kept.includes(task.name) && (known !== undefined || !told));
      if (done && row.state === "pending") edit(row, { state: "kept" });
    }
    table.settled(event);
  }

  function last(verb: string, event: RunEvent): void {
    const completed = verb === "completed";
    const failed = verb === "failed";
    table.rest(event);
    table.cut(event.ts, event.seq, completed ? "completed" : "cut");
    const at = run.bars.findLastIndex(({ kind }) => kind === "attempt" || kind === "queue");
    if (at >= 0 && failed) change({ row: run, at }, { state: "failed", error: text(field(event, "error"), "message") });
    edit(run, { state: completed ? "completed" : failed ? "failed" : "cut" });
    const usage = field(event, "usage");
    tokens = tokensOf(usage) ?? tokens;
    called = number(usage, "calls") ?? called;
    over = true;
  }

  function ofInput(event: RunEvent): void {
    const key = text(event, "input") ?? "";
    if (event.type === "input.requested")
      begin("wait", key, event, rowOf(event), { label: text(event, "prompt") ?? "" });
    else finish("wait", key, event, () => run, event.type === "input.answered" ? "completed" : "cut");
  }

  function ofCall(event: RunEvent): void {
    const type: string = event.type;
    const key = text(event, "call") ?? "";
    if (type === "llm.started") {
      const model = text(event, "model");
      calls.set(key, begin("call", key, event, rowOfAgent(event), { model, label: model ?? "" }));
      return;
    }
    const told = calls.get(key);
    if (told && barOf(told).end !== null) return;
    const place = told ?? begin("call", key, event, rowOfAgent(event), { whole: false });
    calls.set(key, place);
    if (open.has(`retry ${key}`)) finish("retry", key, event, () => place.row, "completed");
    if (type === "llm.delta") {
      if (barOf(place).first === null) change(place, { first: event.ts });
    } else if (type === "llm.retrying") {
      begin("retry", key, event, place.row, { lane: barOf(place).lane, label: text(event, "reason") ?? "" });
      change(place, { retries: barOf(place).retries + 1 });
    } else if (type === "llm.failed") finish("call", key, event, () => run, "failed", { error: text(event, "error") });
    else if (type === "llm.completed") {
      const used = tokensOf(field(event, "usage"));
      finish("call", key, event, () => run, "completed", { tokens: used });
      spend(place.row, event, used);
    }
  }

  /** A call's tokens count in all that it lies in. */
  function spend(row: Making, { agent = "" }: RunEvent, used: Tokens | null): void {
    called += 1;
    const around = [open.get("attempt "), open.get(`agent ${row.tid} ${agent.trim()}`)];
    for (let at: Making | null = row; at; at = at.within) {
      at.calls += 1;
      if (used) at.tokens = sum(at.tokens, used);
      at.given = null;
      if (at.kind !== "agent") around.push(open.get(`${at.kind} ${at.tid}`));
    }
    if (!used) return;
    tokens = sum(tokens, used);
    for (const place of around) if (place) change(place, { tokens: sum(barOf(place).tokens, used) });
  }

  function ofWork(word: string, verb: "started" | "completed" | "failed", event: RunEvent): void {
    if (word === "task" || word === "crew" || word === "flow" || word === "method") ofExecution(word, verb, event);
    else if (word === "agent") ofAgent(verb, event);
    else if (word === "tool") {
      const key = text(event, "call") ?? "";
      const tool = text(event, "tool");
      const label = tool === null ? {} : { label: tool };
      if (verb === "started") begin("tool", key, event, rowOfAgent(event), label);
      else finish("tool", key, event, () => rowOfAgent(event), verb, { ...label, error: text(event, "error") });
    } else ofAside(word, verb, event);
  }

  function ofExecution(
    kind: "task" | "crew" | "flow" | "method",
    verb: "started" | "completed" | "failed",
    event: RunEvent,
  ): void {
    const name = text(event, "name") ?? "";
    const row = rowOf(kind === "task" && name ? { ...event, task: name } : event);
    const key = row.tid ?? "";
    if (field(event, "kept") === true) return edit(row, { state: "kept" });
    if (verb !== "started") {
      finish(kind, key, event, () => row, verb, { error: text(event, "error") });
      return edit(row, { state: verb });
    }
    const words = kind === "task" ? { label: event.agent ?? row.label, name: name || row.name } : { label: name };
    edit(row, { kind, state: "running", ...words });
    begin(kind, key, event, row, { label: kind === "task" ? row.name : name });
    if (event.type === "crew.started")
      for (const { tid, agent, name: task } of event.data.tasks)
        if (tid !== undefined && !rows.has(tid)) add(tid, "task", agent, task, tid, row);
  }

  function ofAgent(verb: "started" | "completed" | "failed", event: RunEvent): void {
    const row = rowOfAgent(event);
    const key = `${row.tid} ${event.agent?.trim() ?? ""}`;
    if (verb === "started") begin("agent", key, event, row, { label: event.agent ?? text(event, "role") ?? "" });
    else finish("agent", key, event, () => row, verb, { error: text(event, "error") });
    if (row.kind === "agent") edit(row, { state: verb === "started" ? "running" : verb });
  }

  /** Whatever else lasts. */
  function ofAside(word: string, verb: "started" | "completed" | "failed", event: RunEvent): void {
    const row = rowOfAgent(event);
    const key = `${word} ${text(event, "call") ?? row.id}`;
    const label = [word, text(event, "operation")].filter(Boolean).join(" ");
    if (verb === "started") begin("aside", key, event, row, { label });
    else if (open.has(`aside ${key}`)) {
      const refused = word === "guardrail" && field(event, "success") === false;
      finish("aside", key, event, () => row, refused ? "failed" : verb, { error: text(event, "error") });
      const task = refused && open.get(`task ${row.tid}`);
      if (task) change(task, { retries: barOf(task).retries + 1 });
    }
  }

  function timeline(): Timeline {
    if (given) return given;
    const told = table.rowsNow();
    return (given = {
      start: seq > 0 ? start : 0,
      end: seq > 0 ? end : 0,
      live: seq > 0 && !over,
      rows: told,
      bars: told.flatMap(({ bars }) => bars),
      calls: called,
      tokens,
      models: table.busy("models"),
      tools: table.busy("tools"),
      people: table.busy("people"),
      paused: table.busy("paused"),
    });
  }

  return { push, size: table.size, timeline };
}

/** What an event is of: names alone have to do in logs that are older than `tid`. */
const keyOf = ({ tid, task }: RunEvent): string | undefined => tid ?? task;

/** A field of an event's data, or of what is in it; undefined where there is none. */
const field = (of: unknown, name: string): unknown => {
  const within = isRecord(of) && isRecord(of["data"]) && "seq" in of ? of["data"] : of;
  return isRecord(within) ? within[name] : undefined;
};
const isRecord = (of: unknown): of is Readonly<Record<string, unknown>> => typeof of === "object" && of !== null;

function text(of: unknown, name: string): string | null {
  const found = field(of, name);
  return typeof found === "string" ? found : null;
}

function number(of: unknown, name: string): number | null {
  const found = field(of, name);
  return typeof found === "number" ? found : null;
}

function tokensOf(usage: unknown): Tokens | null {
  const prompt = number(usage, "prompt_tokens");
  const completion = number(usage, "completion_tokens");
  if (prompt === null && completion === null) return null;
  return { prompt: prompt ?? 0, completion: completion ?? 0, cached: number(usage, "cached_tokens") ?? 0 };
}

const sum = (a: Tokens | null, b: Tokens): Tokens => ({
  prompt: (a?.prompt ?? 0) + b.prompt,
  completion: (a?.completion ?? 0) + b.completion,
  cached: (a?.cached ?? 0) + b.cached,
});
