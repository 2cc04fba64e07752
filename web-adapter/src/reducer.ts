import type { Aside, Frame, RunEvent, TaskName } from "./protocol.ts";
import {
  emptyRun,
  isFinal,
  LIMITS,
  untold,
  type AsideView,
  type CallView,
  type Common,
  type GroupView,
  type Note,
  type Place,
  type Progress,
  type RunView,
  type Span,
  type Standstill,
  type Step,
  type TaskView,
  type WorkView,
} from "./view.ts";

/**
 * The view after one more frame. Pure; the only place where a run changes.
 *
 * Repeats (`seq` not above the last), unknown types and control frames give the same view back, so
 * `===` tells whether there is anything new to show. A `stream.reset` starts over, except after
 * `evicted`, where what was seen holds and only a gap follows. Cost of an event: the number of
 * pieces of work plus at most LIMITS.steps, never the length of the text (V8, JSC and SpiderMonkey append
 * to strings as ropes).
 */
export function reduce(view: RunView, frame: Frame): RunView {
  if (frame.type === "stream.reset") return frame.reason === "evicted" ? view : emptyRun;
  if (!("data" in frame)) return view;
  // What no event has told yet was a snapshot's picture: the events tell it whole.
  const before = view.id === null ? emptyRun : view;
  if (frame.seq <= before.seq || isFinal(before.state)) return view;
  const next = apply(before, frame);
  const tasks = next.work === before.work ? before.tasks : next.work.filter((item) => item.kind === "task");
  const told = { ...next, tasks, seq: frame.seq, id: frame.id, run: frame.run };
  return next.state === before.state ? told : { ...told, since: frame.ts, stood: stoodUntil(before, frame.ts) };
}

/** `ts`: when it leaves its state. */
const stoodUntil = ({ state, since, stood }: RunView, ts: number): Common["stood"] =>
  state in stood && since !== null ? { ...stood, [state]: stood[state as Standstill] + ts - since } : stood;

/** What an event, or a task in a list, is of: names alone have to do in logs that are older than `tid`. */
const keyOf = ({ tid, task }: Pick<RunEvent, "tid" | "task">): string | undefined => tid ?? task;
const keyOfTask = ({ tid, name }: TaskName): string => tid ?? name;

function apply(view: RunView, event: RunEvent): RunView {
  if (event.final) return end(view, event as RunEvent & { type: `run.${Ended["state"]}` });
  switch (event.type) {
    case "run.queued": {
      const { crew, inputs, position, thread = null, after, forked = null } = event.data;
      const told = { crew, inputs, thread, after: after || null, forked, created: event.ts };
      return { ...view, ...told, ...(view.state === "queued" && { position }) };
    }
    case "run.started": {
      const { model, attempt, tasks, kept = [] } = event.data;
      const stays = inside(view.work, tasks.filter(({ name }) => kept.includes(name)).map(keyOfTask));
      const planned = tasks.map((task) => (stays.has(keyOfTask(task)) && find(view, keyOfTask(task))) || pending(task));
      const work = [...planned, ...view.work.filter((item) => stays.has(item.in))];
      // Of what is done again nothing stays, so its notes stand at the task; who asks, asks anew.
      const notes = close(view).notes.map((note) => {
        if (stays.has(note.in)) return note;
        const name = find(view, note.in)?.name;
        return { ...note, in: planned.findLast((task) => task.name === name)?.tid ?? null, after: null };
      });
      const started = view.started ?? (attempt > 1 && view.created === null ? null : event.ts);
      return move(
        { ...view, model, attempt, started, planned: tasks.length, steps: [], notes },
        { state: "running" },
        work,
      );
    }
    case "run.pausing":
      return move(view, { state: "pausing" });
    case "run.paused":
      return move(view, { state: "paused", boundary: event.data.boundary });
    case "run.cancelling":
      return move(settle(view), { state: "cancelling" });
    case "run.resumed":
      return move(view, { state: "running" });

    case "run.modifying":
      return note(view, event, { kind: "steer", id: event.cause ?? event.id, state: "accepted", change: event.data });
    case "run.modified":
      return amend(view, event.cause, { state: "applied" });
    case "input.requested": {
      const { input, ...said } = event.data;
      const asked = note(view, event, { ...said, kind: "question", id: input, state: "open", text: null });
      return move(asked, { state: "waiting", input: event.data });
    }
    case "input.answered":
      return move(amend(view, event.data.input, { state: "answered", text: event.data.text }), { state: "running" });
    case "input.expired":
      return move(amend(view, event.data.input, { state: "expired" }), { state: "running" });

    case "task.started":
      return withWork(
        view,
        { ...event, task: event.data.name },
        { ...progress(event), ...(event.agent && { agent: event.agent }) },
      );
    case "crew.started":
      return event.data.tasks.reduce(
        (next, task) => (find(next, task.tid) || !task.tid ? next : add(next, pending(task, placeIn(next, event.tid)))),
        withWork(view, event, begun(event)),
      );
    case "flow.started":
    case "method.started":
      return withWork(view, event, begun(event));
    case "task.completed":
    case "crew.completed":
    case "flow.completed":
    case "method.completed": {
      const { output = null, ...more } = event.data;
      const routed = "route" in more && { route: more.route };
      // That it was kept of an earlier attempt is told when it is looked up: it ended long before.
      return withWork(view, event, { ...progress(event), output, ...routed, ...("kept" in more && untold) });
    }
    case "task.failed":
    case "crew.failed":
    case "flow.failed":
    case "method.failed":
      return withWork(view, event, { ...progress(event), error: event.data.error });

    case "llm.delta": {
      const { kind, text } = event.data;
      const field = kind === "thinking" ? "thinking" : "text";
      return withStep(view, event, "call", (call) => ({
        ...(kind !== "tool" && { [field]: append(call[field], text) }),
        ...(kind !== "thinking" && hasThought(call, event)),
      }));
    }
    case "llm.completed": {
      const { prompt_tokens = 0, completion_tokens = 0 } = event.data.usage ?? {};
      const usage = {
        prompt_tokens: view.usage.prompt_tokens + prompt_tokens,
        completion_tokens: view.usage.completion_tokens + completion_tokens,
        calls: view.usage.calls + 1,
      };
      return withStep({ ...view, usage }, event, "call", (call) => hasThought(call, event));
    }
    case "llm.started":
    case "llm.retrying":
      return withStep(view, event, "call", {});
    case "llm.failed":
      return withStep(view, event, "call", (call) => hasThought(call, event));

    case "tool.started":
      return withStep(view, event, "tool", { tool: event.data.tool, args: event.data.args });
    case "tool.completed":
      return withStep(view, event, "tool", { result: event.data.output });
    case "tool.failed":
      return withStep(view, event, "tool", { result: event.data.error });

    case "log":
      return { ...view, logs: keep(view.logs, event.data, LIMITS.logs) };
    case "event":
      return withStep(
        view,
        event,
        "aside",
        { word: "event", state: "completed", data: event.data, started: event.ts, ended: event.ts },
        event.id,
      );
    default:
      return aside(view, event);
  }
}

type Standing = RunView extends infer V ? (V extends RunView ? Omit<V, keyof Common> : never) : never;

/** What there is in any of them. */
type AnyOf<U> = { [K in U extends U ? keyof U : never]: U extends { [k in K]: infer V } ? V : never };

type Ended = Extract<Standing, { output: unknown }>;

/** Into another state. A cancel that was accepted is left only by an ending. */
function move(view: RunView, next: Standing, work = view.work): RunView {
  const { state, position, boundary, input, output, error, ...common } = view as Common & Partial<AnyOf<Standing>>;
  if (state === "cancelling" && !isFinal(next.state)) next = { state };
  return { ...common, work, ...next };
}

/** Crew events of a run that seems queued: the log's beginning was evicted. */
const awake = (view: RunView): RunView => (view.state === "queued" ? move(view, { state: "running" }) : view);

function end(view: RunView, { type, ts, data }: RunEvent & { type: `run.${Ended["state"]}` }): RunView {
  const ended = {
    state: type.slice("run.".length),
    output: data.output,
    ...("error" in data && { error: data.error }),
    ...("json" in data && { json: data.json }),
  } as Ended;
  const state = ended.state === "completed" ? "completed" : "failed";
  const cut = <T extends WorkView | Step>(item: T): T =>
    item.state === "running" ? { ...item, state, ended: ts } : item;
  const cutSteps = (steps: readonly Step[]) => steps.map(calm).map(cut);
  const cutWork = (item: WorkView) => (item.state === "running" ? cut({ ...item, steps: cutSteps(item.steps) }) : item);
  const work = new Map(view.work.map((item) => [item.tid, cutWork(item)]));
  for (const { output, ...task } of data.tasks) {
    const tid = keyOfTask(task);
    const item = work.get(tid) ?? unplanned(view, task);
    // Those that had to go do not come again.
    if (work.has(tid) || work.size < LIMITS.work + view.planned)
      work.set(tid, output === null ? item : { ...item, state: "completed", output });
  }
  const settled = { ...settle(view), steps: cutSteps(view.steps), ended: ts, usage: data.usage ?? view.usage };
  return move(settled, ended, [...work.values()]);
}

type Unplaced<N> = N extends Note ? Omit<N, keyof Place> : never;

/** Adds a note behind what is being written. */
function note(view: RunView, event: RunEvent, said: Unplaced<Note>): RunView {
  const at = keyOf(event) ?? view.work.findLast(({ state }) => state === "running")?.tid;
  return { ...view, notes: keep(view.notes, { ...said, ...placeIn(view, at) }, LIMITS.notes) };
}

/** Changes the notes whose `key` is that. */
const amend = (
  view: RunView,
  value: string | undefined,
  change: Partial<Note>,
  key: "id" | "state" = "id",
): RunView => ({
  ...view,
  notes: view.notes.map((note) => (note[key] === value ? ({ ...note, ...change } as Note) : note)),
});

/** The open question is void. */
const close = (view: RunView): RunView => amend(view, "open", { state: "closed" }, "state");

/** What is still pending stays undone: the run is over, or as good as that. */
const settle = (view: RunView): RunView => amend(close(view), "accepted", { state: "unapplied" }, "state");

const find = (view: RunView, tid: string | null | undefined): WorkView | undefined =>
  view.work.find((item) => item.tid === tid);

/** Behind all that is there by now, in the work of that `tid` or, where that is not known, in the run. */
const placeIn = (view: RunView, tid: string | undefined): Place => {
  const around = find(view, tid);
  return { in: around?.tid ?? null, after: (around ?? view).steps.at(-1)?.id ?? null };
};

/** These `tid`s, and those of all that is inside them. */
function inside(work: readonly WorkView[], these: readonly string[]): ReadonlySet<string | null> {
  const found = new Set<string | null>(these);
  for (const item of work) if (found.has(item.in)) found.add(item.tid);
  return found;
}

/** How far that is which an event is of, and when that was. */
function progress({ type, ts }: RunEvent): Partial<Span & { readonly state: Progress }> {
  const verb = type.split(".")[1];
  if (verb === "started") return { state: "running", started: ts };
  return verb === "completed" || verb === "failed" ? { state: verb, ended: ts } : {};
}

const blank = { ...untold, steps: [], output: null, error: null };

/** One with an output is a fork's, which the run that was forked has finished. */
const pending = (task: TaskName & { output?: string }, place: Place = { in: null, after: null }): TaskView => ({
  ...blank,
  ...place,
  kind: "task",
  tid: keyOfTask(task),
  name: task.name,
  agent: task.agent,
  state: task.output == null ? "pending" : "completed",
  output: task.output ?? null,
});

/** One that came to light on the way. In nothing and beside a plan it is a helper of the crew's. */
const unplanned = (view: RunView, task: TaskName): WorkView => {
  const item = pending(task, placeIn(view, task.in));
  return item.in === null && view.planned > 0 ? { ...item, kind: "helper" } : item;
};

/** What was heard of before it began, its beginning having been evicted, was called after what it might be. */
const begun = (event: RunEvent & { readonly data: { readonly name: string } }): Partial<GroupView> => ({
  ...progress(event),
  kind: event.type.split(".")[0] as GroupView["kind"],
  name: event.data.name,
});

/** Adds one; beyond the limit the oldest that has ended and was not planned goes, with all that is inside it. */
function add(view: RunView, item: WorkView): RunView {
  let { work } = view;
  if (work.length >= LIMITS.work + view.planned) {
    const others = work.slice(view.planned);
    const oldest = others.find(({ state }) => state === "completed" || state === "failed") ?? others[0]!;
    const dropped = inside(work, [oldest.tid]);
    work = work.filter(({ tid }) => !dropped.has(tid));
  }
  return { ...view, work: [...work, item] };
}

const keep = <T>(list: readonly T[], item: T, limit: number): readonly T[] => [...list.slice(1 - limit), item];

/** If it did, and until now. */
const hasThought = ({ thinking, thought }: CallView, { ts }: RunEvent): Partial<CallView> =>
  thinking !== "" && thought === null ? { thought: ts } : {};

const append = (text: string, more: string): string => (text.length < LIMITS.text ? text + more : text);

type Update<T> = Partial<T> | ((before: T) => Partial<T>);

const changed = <T extends object>(before: T, change: Update<T>): T => ({
  ...before,
  ...(typeof change === "function" ? change(before) : change),
});

/** Changes the work that the event is of, which is added if there is none. */
function withWork(view: RunView, event: RunEvent, change: Update<WorkView>): RunView {
  const next = awake(view);
  const tid = keyOf(event);
  if (tid === undefined) return next;
  const at = next.work.findLastIndex((item) => item.tid === tid);
  if (at >= 0) return { ...next, work: next.work.with(at, changed(next.work[at]!, change)) };
  const { task: name, agent = "", method } = event;
  const place = placeIn(next, event.in);
  const fresh: WorkView =
    name !== undefined && !/^(crew|flow|method)\./.test(event.type)
      ? unplanned(next, { ...event, tid, name, agent })
      : {
          ...blank,
          ...place,
          kind: method ? "method" : "crew",
          tid,
          name: method ?? "",
          state: "running",
          route: null,
        };
  return add(next, changed(fresh, change));
}

/** Nobody waits for that any more. */
const calm = (step: Step): Step => (step.kind === "call" && step.retry ? { ...step, retry: null } : step);

type StepOf<Kind extends Step["kind"]> = Extract<Step, { kind: Kind }>;

/** Changes the step of that kind and id, which is appended if there is none. */
function withStep<Kind extends Step["kind"]>(
  view: RunView,
  event: RunEvent,
  kind: Kind,
  change: Update<StepOf<Kind>>,
  id = (event.data as { readonly call: string }).call,
): RunView {
  const into = ({ steps: before }: { readonly steps: readonly Step[] }) => {
    // CrewAI's own next try is a call of its own.
    const steps = event.type === "llm.started" ? before.map(calm) : before;
    const at = steps.findLastIndex((step) => step.id === id && step.kind === kind);
    const step = (steps[at] ?? { ...untold, ...FRESH[kind], id, agent: event.agent ?? null }) as StepOf<Kind>;
    const retry = event.type === "llm.retrying" ? { ...event.data, ts: event.ts } : null;
    const next = { ...changed(step, change), ...progress(event), ...(kind === "call" && { retry }) };
    return { steps: at < 0 ? keep(steps, next, LIMITS.steps) : steps.with(at, next) };
  };
  return keyOf(event) === undefined ? { ...awake(view), ...into(view) } : withWork(view, event, into);
}

const FRESH: { readonly [Kind in Step["kind"]]: Omit<StepOf<Kind>, "id" | "agent" | keyof Span> } = {
  call: { kind: "call", state: "running", text: "", thinking: "", thought: null, retry: null },
  tool: { kind: "tool", state: "running", tool: "", args: null, result: null },
  aside: { kind: "aside", state: "running", word: "event", data: {} },
};

const ASIDES = ["guardrail", "memory", "knowledge", "mcp", "reasoning", "skill", "a2a"];

/** A word of its own's beginning or end; whatever else is told of work: it is being worked on. */
function aside(view: RunView, event: RunEvent): RunView {
  const word = event.type.split(".")[0] as Aside;
  if (!ASIDES.includes(word)) return keyOf(event) === undefined ? view : awake(view);
  const data = event.data as AsideView["data"];
  const open = (find(view, keyOf(event)) ?? view).steps.findLast(
    (step) =>
      step.kind === "aside" && step.word === word && step.state === "running" && step.data["call"] === data["call"],
  );
  return withStep(
    view,
    event,
    "aside",
    (step) => ({ word, data: { ...step.data, ...data } }),
    (!event.type.endsWith("started") && open?.id) || event.id,
  );
}
