// Held by `tsc` in `npm run check`, run by nobody. That none of them is `any` is in packed.long.ts.
import { describe, expectTypeOf, test } from "vitest";
import {
  createCrewClient,
  emptyRun,
  seconds,
  snapshots,
  textOf,
  toResult,
  viewOf,
  type Ack,
  type Change,
  type Command,
  type CommandOptions,
  type ConnectionStatus,
  type ControlFrame,
  type CrewClient,
  type CrewClientOptions,
  type CrewError,
  type CrewInfo,
  type EventData,
  type EventType,
  type Failure,
  type Frame,
  type OpenInput,
  type PendingCommand,
  type RunEvent,
  type RunPage,
  type RunSnapshot,
  type RunState,
  type RunView,
  type StartOptions,
  type Step,
  type ThreadInfo,
  type ThreadPage,
  type ThreadRuns,
  type ToolView,
  type WorkView,
  type QuestionView,
  type TaskView,
} from "../src/index.ts";
import {
  useCrewRun,
  useCrewRuntime,
  useLiveRun,
  type CrewAdapterOptions,
  type CrewRun,
  type CrewRuntimeOptions,
} from "../src/react/index.ts";

type Of<State extends RunView["state"]> = Extract<RunView, { state: State }>;

const view = emptyRun as RunView;
const frame = {} as Frame;
const client = createCrewClient({ url: "http://sidecar.test" });

describe("a view", () => {
  test("has what its state has to say in that state only", () => {
    expectTypeOf<Of<"queued">["position"]>().toBeNumber();
    expectTypeOf<Of<"paused">["boundary"]>().toBeString();
    expectTypeOf<Of<"waiting">["input"]>().toEqualTypeOf<OpenInput>();
    expectTypeOf<Of<"failed">["error"]>().toEqualTypeOf<Failure>();
    expectTypeOf<Of<"completed">["json"]>().toBeUnknown();
    if (view.state === "waiting") expectTypeOf(view.input).toEqualTypeOf<OpenInput>();
    if (view.state === "failed") expectTypeOf(view.error.code).toExtend<string>();
    // @ts-expect-error Nobody waits for an answer but who has asked.
    void view.input;
    // @ts-expect-error Nor has anything failed yet.
    void view.error;
    // @ts-expect-error A state that there is not.
    void (view.state === "done");
  });

  test("has a state that every run may have, but for what has no event", () => {
    expectTypeOf<RunView["state"]>().toEqualTypeOf<Exclude<RunState, "starting">>();
  });

  test("whose end is told by `output` being there", () => {
    if (!("output" in view)) return;
    expectTypeOf(view.state).toEqualTypeOf<"completed" | "failed" | "cancelled" | "interrupted">();
    expectTypeOf(view.output).toEqualTypeOf<string | null>();
  });

  test("tells a step and a piece of work by their kind", () => {
    const step = {} as Step;
    if (step.kind === "tool") expectTypeOf(step).toEqualTypeOf<ToolView>();
    expectTypeOf<Step["kind"]>().toEqualTypeOf<"call" | "tool" | "aside">();
    expectTypeOf<WorkView["kind"]>().toEqualTypeOf<"task" | "helper" | "crew" | "flow" | "method">();
  });

  test("is not to be written into", () => {
    expectTypeOf<RunView["work"]>().toEqualTypeOf<readonly WorkView[]>();
    // @ts-expect-error A view is read only.
    view.seq = 1;
    // @ts-expect-error So are its lists.
    view.work.push(view.work[0]!);
  });
});

describe("a frame", () => {
  test("is an event where it has data, and its data is its type's", () => {
    if (!("data" in frame)) return expectTypeOf(frame).toEqualTypeOf<ControlFrame>();
    expectTypeOf(frame).toEqualTypeOf<RunEvent>();
    if (frame.type === "llm.delta") expectTypeOf(frame.data.kind).toEqualTypeOf<"text" | "thinking" | "tool">();
    if (frame.type === "run.failed") expectTypeOf(frame.data.error).toEqualTypeOf<Failure>();
    if (frame.type === "run.modified") expectTypeOf(frame.data.applied).toEqualTypeOf<"model_call" | "task">();
    if (frame.type === "mcp.failed") expectTypeOf(frame.data).toEqualTypeOf<Readonly<Record<string, unknown>>>();
    // @ts-expect-error A type that there is not.
    void (frame.type === "llm.word");
  });

  test("has data for each type of event", () => {
    expectTypeOf<RunEvent["type"]>().toEqualTypeOf<EventType>();
    expectTypeOf<keyof EventData>().toEqualTypeOf<EventType>();
    expectTypeOf<"guardrail.failed" | "input.expired" | "run.queued">().toExtend<EventType>();
  });
});

describe("a command", () => {
  test("changes one thing at a time", () => {
    expectTypeOf<{ instruction: string; now: true }>().toExtend<Change>();
    expectTypeOf<{ instruction: string; task: string }>().toExtend<Change>();
    expectTypeOf<{ task: string; description: string }>().toExtend<Change>();
    expectTypeOf<{ inputs: { message: string } }>().toExtend<Change>();
    expectTypeOf<{ task: string }>().not.toExtend<Change>();
    expectTypeOf<{ description: string }>().not.toExtend<Change>();
    const change = {} as Change;
    if ("inputs" in change) expectTypeOf(change.inputs).toEqualTypeOf<Readonly<Record<string, unknown>>>();
    if ("instruction" in change) expectTypeOf(change.instruction).toBeString();
  });

  test("takes a signal, an id, and whether it is kept; a start has its own options", () => {
    expectTypeOf<CommandOptions>().toEqualTypeOf<{
      readonly signal?: AbortSignal | undefined;
      readonly id?: string | undefined;
      readonly keep?: boolean | undefined;
    }>();
    expectTypeOf<Parameters<CrewClient["pause"]>>().toEqualTypeOf<[run: string, options?: CommandOptions]>();
    expectTypeOf<Parameters<CrewClient["cancel"]>>().toEqualTypeOf<
      [run: string, reason?: string, options?: CommandOptions]
    >();
    expectTypeOf<Parameters<CrewClient["answer"]>[3]>().toEqualTypeOf<CommandOptions | undefined>();
    expectTypeOf<keyof StartOptions>().toEqualTypeOf<
      "crew" | "review" | "thread" | "title" | "after" | "parallel" | "from" | "signal" | "id"
    >();
    // @ts-expect-error What is not known whether it began must not begin on its own later.
    void client.start({}, { keep: true });
  });

  test("says which run it is about, unless it starts one", () => {
    expectTypeOf<{ cmd: "pause"; run: string }>().toExtend<Command>();
    expectTypeOf<{ cmd: "pause" }>().not.toExtend<Command>();
    expectTypeOf<{ cmd: "start" }>().toExtend<Command>();
    expectTypeOf<Extract<Command, { cmd: "answer" }>["input"]>().toBeString();
  });
});

describe("a client", () => {
  test("gives what the protocol promises", () => {
    expectTypeOf(client.start).returns.resolves.toBeString();
    expectTypeOf(client.cancel).returns.resolves.toEqualTypeOf<Ack>();
    expectTypeOf(client.runs).returns.resolves.toEqualTypeOf<RunPage>();
    expectTypeOf(client.get).returns.resolves.toEqualTypeOf<RunSnapshot>();
    expectTypeOf(client.crews).returns.resolves.toEqualTypeOf<readonly CrewInfo[]>();
    expectTypeOf(client.threads).returns.resolves.toEqualTypeOf<ThreadPage>();
    expectTypeOf(client.thread).returns.resolves.toEqualTypeOf<ThreadRuns>();
    expectTypeOf(client.remove).returns.resolves.toBeVoid();
    expectTypeOf(client.follow).returns.toEqualTypeOf<AsyncGenerator<Frame, void>>();
    expectTypeOf(snapshots).returns.toEqualTypeOf<AsyncGenerator<RunView, void>>();
    expectTypeOf(client.pending).toEqualTypeOf<readonly PendingCommand[]>();
    expectTypeOf(client.status).toEqualTypeOf<ConnectionStatus>();
    expectTypeOf<ConnectionStatus["error"]>().toEqualTypeOf<CrewError | null>();
    expectTypeOf<ThreadInfo["runs"]>().toBeNumber();
    // @ts-expect-error What is to be removed?
    void client.remove({});
  });

  test("takes headers and tickets that are there, or come", () => {
    expectTypeOf<{ url: string }>().toExtend<CrewClientOptions>();
    expectTypeOf<{ url: string; headers: () => { authorization: string } }>().toExtend<CrewClientOptions>();
    expectTypeOf<{ url: string; headers: () => Promise<{ authorization: string }> }>().toExtend<CrewClientOptions>();
    expectTypeOf<{ url: string; getTicket: () => Promise<string> }>().toExtend<CrewClientOptions>();
    expectTypeOf<{ url: string; transport: "sse" }>().toExtend<CrewClientOptions>();
    expectTypeOf<{ url: string; transport: "sockets" }>().not.toExtend<CrewClientOptions>();
  });
});

describe("what is pure", () => {
  test("takes a view and gives what a page shows", () => {
    expectTypeOf(viewOf).toBeCallableWith({} as RunSnapshot);
    expectTypeOf(viewOf).returns.toEqualTypeOf<RunView>();
    expectTypeOf(textOf).returns.toBeString();
    expectTypeOf(seconds).returns.toEqualTypeOf<number | null>();
    expectTypeOf(seconds).toBeCallableWith({} as TaskView);
    const { status, metadata } = toResult(view);
    if (status?.type === "incomplete" && status.reason === "error") expectTypeOf(status.error).toBeString();
    expectTypeOf(metadata.custom.error).toEqualTypeOf<
      { readonly code: string; readonly message: string } | undefined
    >();
  });
});

describe("in React", () => {
  test("a run is told by its state, before there is one, until it is heard of, and where it is refused", () => {
    const run = {} as CrewRun;
    expectTypeOf<Exclude<CrewRun["state"], RunView["state"]>>().toEqualTypeOf<"idle" | "loading" | "refused">();
    if (run.state === "refused") expectTypeOf(run.error).toEqualTypeOf<CrewError>();
    else if (run.state === "failed") expectTypeOf(run.error).toEqualTypeOf<Failure>();
    else if (run.state === "loading") expectTypeOf(run.latency).toEqualTypeOf<number | null>();
    else if (run.state !== "idle") expectTypeOf(run).toExtend<RunView>();
    if (run.state === "running") expectTypeOf(run.question).toEqualTypeOf<QuestionView | null>();
    // @ts-expect-error Nothing was heard of it yet.
    void (run.state === "loading" && run.tasks);
  });

  test("hooks take a client first, and options that may all be left out", () => {
    expectTypeOf(useCrewRun).parameter(1).toEqualTypeOf<string | null | undefined>();
    expectTypeOf(useCrewRun).returns.toEqualTypeOf<CrewRun>();
    expectTypeOf(useLiveRun).returns.toEqualTypeOf<RunView | null>();
    expectTypeOf(useCrewRuntime).parameter(0).toEqualTypeOf<CrewClient>();
    expectTypeOf<object>().toExtend<CrewRuntimeOptions>();
    expectTypeOf<{ whileLive: "steer" | "queue" | "interrupt" | "reject" }>().toExtend<CrewAdapterOptions>();
    expectTypeOf<{ whileLive: "wait" }>().not.toExtend<CrewAdapterOptions>();
    expectTypeOf<Parameters<NonNullable<CrewAdapterOptions["onEvent"]>>>().toEqualTypeOf<
      [event: RunEvent, run: string]
    >();
  });
});
