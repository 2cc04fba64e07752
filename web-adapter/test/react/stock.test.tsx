// @vitest-environment jsdom
import {
  AssistantRuntimeProvider,
  ErrorPrimitive,
  MessagePartPrimitive,
  MessagePrimitive,
  ThreadPrimitive,
  useExternalStoreRuntime,
  type AssistantRuntime,
  type ThreadMessageLike,
} from "@assistant-ui/react";
import { act, type PropsWithChildren } from "react";
import { describe, expect, test } from "vitest";
import { emptyRun, reduce, toResult, type RunEvent, type RunView } from "../../src/index.ts";
import { useCrewRuntime } from "../../src/react/index.ts";
import { fakeServer } from "../fakeServer.ts";
import { logged, type Told } from "../told.ts";
import { eventsOf } from "../vectors.ts";
import { clientOf, show, until } from "./mount.tsx";

/** A Thread as assistant-ui's own template has it, styles and scrolling (no `ResizeObserver` in jsdom) apart. */
const Thread = () => (
  <ThreadPrimitive.Root>
    <ThreadPrimitive.Messages components={{ UserMessage, AssistantMessage }} />
  </ThreadPrimitive.Root>
);

const UserMessage = () => (
  <MessagePrimitive.Root data-role="user">
    <MessagePrimitive.Parts />
  </MessagePrimitive.Root>
);

const AssistantMessage = () => (
  <MessagePrimitive.Root data-role="assistant">
    <MessagePrimitive.Parts components={{ Text, Reasoning, ReasoningGroup, tools: { Fallback: ToolFallback } }} />
    <MessagePrimitive.Error>
      <ErrorPrimitive.Root>
        <ErrorPrimitive.Message />
      </ErrorPrimitive.Root>
    </MessagePrimitive.Error>
  </MessagePrimitive.Root>
);

const Text = () => <MessagePartPrimitive.Text component="div" data-part="text" />;
const Reasoning = () => <MessagePartPrimitive.Text component="div" data-part="reasoning" />;
const ReasoningGroup = ({ children }: PropsWithChildren) => <details open>{children}</details>;
const ToolFallback = ({ toolName, argsText, result }: { toolName: string; argsText: string; result?: unknown }) => (
  <div data-part="tool">
    {toolName} {argsText} {result === undefined ? "…" : JSON.stringify(result)}
  </div>
);

async function chat(log: readonly RunEvent[], setUp = (_: ReturnType<typeof fakeServer>) => {}) {
  const server = fakeServer(log);
  setUp(server);
  const client = clientOf(server);
  let runtime: AssistantRuntime | undefined;
  function App() {
    runtime = useCrewRuntime(client);
    return (
      <AssistantRuntimeProvider runtime={runtime}>
        <Thread />
      </AssistantRuntimeProvider>
    );
  }
  const place = await show(<App />);
  act(() => runtime!.thread.append("A launch plan"));
  return { server, ...reader(place) };
}

const reader = (place: HTMLElement) => ({
  /** What a reader sees of the crew, part by part. */
  seen: () =>
    [...place.querySelectorAll<HTMLElement>("[data-part]")].map(
      ({ dataset, textContent }) => `${dataset["part"]}: ${textContent}`,
    ),
  error: () => place.querySelector("[role=alert]")?.textContent,
});

const PLANNED: Told = [
  "run.started",
  {},
  {
    model: "m",
    attempt: 1,
    tasks: [
      { name: "plan", agent: "Content Planner", tid: "1.1" },
      { name: "research", agent: "Trend Researcher", tid: "1.2" },
    ],
  },
];
const begins = (tid: string, name: string, agent: string): Told => [
  "task.started",
  { tid, task: name, agent },
  { name, index: 1, of: 2 },
];
const says = (tid: string, agent: string, call: string, text: string, kind = "text"): Told => [
  "llm.delta",
  { tid, agent },
  { call, text, kind },
];
const LOG = logged(
  ["run.queued", {}, { crew: "default", inputs: { message: "A launch plan" }, review: [], position: 0 }],
  PLANNED,
  begins("1.1", "plan", "Content Planner"),
  says("1.1", "Content Planner", "a", "I should count", "thinking"),
  ["tool.started", { tid: "1.1" }, { call: "t", tool: "word_count", args: { text: "Tea" } }],
  ["tool.completed", { tid: "1.1" }, { call: "t", tool: "word_count", output: "1", seconds: 0.1 }],
  says("1.1", "Content Planner", "b", "Three posts"),
  ["task.completed", { tid: "1.1" }, { output: "Three posts" }],
  begins("1.2", "research", "Trend Researcher"),
  says("1.2", "Trend Researcher", "c", "Up"),
  says("1.2", "Trend Researcher", "c", " and up"),
  ["task.completed", { tid: "1.2" }, { output: "Up and up" }],
  [
    "run.completed",
    { final: true },
    { output: "Up and up", tasks: [], usage: emptyRun.usage, seconds: 1, unapplied: [] },
  ],
).map((event) => ({ ...event, run: "r_01jd" }));

describe("a stock Thread with the five lines", () => {
  test("shows the whole crew at work: who, what they thought, used and wrote, and each word once", async () => {
    const { server, seen } = await chat(LOG, ({ hold }) => hold(4));
    await until(() => expect(seen()).toEqual(["reasoning: Content Planner\n\nI should count", "text: "]));
    server.grow(7);
    await until(() =>
      expect(seen()).toEqual([
        "reasoning: Content Planner\n\nI should count",
        'tool: word_count {\n  "text": "Tea"\n} "1"',
        "text: Three posts",
      ]),
    );
    server.grow(10);
    const before = [
      "reasoning: Content Planner\n\nI should count",
      'tool: word_count {\n  "text": "Tea"\n} "1"',
      "reasoning: Content Planner\n\nThree posts",
    ];
    await until(() => expect(seen()).toEqual([...before, "text: Up"]));
    server.grow();
    await until(() => expect(seen()).toEqual([...before, "text: Up and up"]));
  });

  test("says in words what a run failed of", async () => {
    const { error } = await chat(eventsOf("failed: crashed"));
    await until(() => expect(error()).toBe("The worker ended with signal 9."));
  });

  test("says in words that no sidecar answers", async () => {
    const { error } = await chat(LOG, ({ weather }) => Object.assign(weather, { ws: "refuse", http: "refuse" }));
    await until(() => expect(error()).toBe("No sidecar answers at http://sidecar.test."));
  });
});

/** A view as a message of a store of the app's own. */
const messageOf = (views: readonly RunView[]): ThreadMessageLike => {
  const results = views.map((view) => toResult(view));
  const { status, metadata } = results.at(-1)!;
  return {
    role: "assistant",
    id: "m",
    content: results.flatMap(({ content }) => content),
    ...(status && { status }),
    metadata,
  };
};

function Store({ message }: { readonly message: ThreadMessageLike }) {
  const runtime = useExternalStoreRuntime({
    messages: [message],
    convertMessage: (shown: ThreadMessageLike) => shown,
    onNew: async () => {},
  });
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <Thread />
    </AssistantRuntimeProvider>
  );
}

const view = (log: readonly RunEvent[]) => log.reduce(reduce, emptyRun);

describe("parts in a store of the app's own", () => {
  test("of two runs that ask are two, and none of them takes the page down", async () => {
    const asks = eventsOf("waiting for an answer");
    const views = [asks, asks.map((event) => ({ ...event, run: "r_02" }))].map(view);
    const place = await show(<Store message={messageOf(views)} />);
    expect(
      reader(place)
        .seen()
        .filter((part) => part.includes("crew_question")),
    ).toHaveLength(2);
  });
});
