// @vitest-environment jsdom
import { AssistantRuntimeProvider, useLocalRuntime, type AssistantRuntime } from "@assistant-ui/react";
import { act, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createCrewClient, type RunEvent } from "../../src/index.ts";
import { createCrewAdapter, createCrewHistory, rememberRuns } from "../../src/react/index.ts";
import { fakeServer } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";

vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);

const KEY = "runs";
const runs = rememberRuns(KEY);
beforeEach(() => sessionStorage.clear());

function setUp(log: readonly RunEvent[] = eventsOf("completed")) {
  const server = fakeServer(log);
  const client = createCrewClient({ ...server.options, random: () => 0, limits: { open: 60, ack: 60 } });
  return { server, client };
}

describe("the memory of runs", () => {
  test("keeps them in order, and no more than 20", () => {
    expect(runs.list()).toEqual([]);
    runs.save(["r_1", "r_2"]);
    expect(runs.list()).toEqual(["r_1", "r_2"]);
    runs.save(Array.from({ length: 25 }, (_, n) => `r_${n}`));
    expect(runs.list()).toHaveLength(20);
    expect(runs.list().at(-1)).toBe("r_24");
  });

  test.each(["{not json", "null", '{"a": 1}', "[1, null]"])("takes %s for an empty one", (kept) => {
    sessionStorage.setItem(KEY, kept);
    expect(runs.list()).toEqual([]);
  });

  test("does without a storage that is blocked", () => {
    const blocked = rememberRuns(KEY, () => {
      throw new DOMException("no", "SecurityError");
    });
    blocked.save(["r_1"]);
    expect(blocked.list()).toEqual([]);
  });
});

describe("loading", () => {
  const texts = async (history: ReturnType<typeof createCrewHistory>) => {
    const { messages, unstable_resume } = await history.load();
    return { told: messages.map(({ message: { role, content } }) => [role, content.at(-1)]), unstable_resume };
  };

  test("tells a finished run from its log: the brief and the reply", async () => {
    const { server, client } = setUp();
    runs.save([server.run]);
    expect(await texts(createCrewHistory(client, { runs }))).toEqual({
      told: [
        ["user", { type: "text", text: "Coffee in Lisbon" }],
        ["assistant", expect.objectContaining({ type: "text", text: "Up and up" })],
      ],
      unstable_resume: false,
    });
    expect(server.effects).toEqual([]);
    expect(server.sockets.size).toBe(0);
  });

  test("forgets a run that the sidecar does not know", async () => {
    const { server, client } = setUp();
    runs.save(["r_gone", server.run]);
    expect((await texts(createCrewHistory(client, { runs }))).told).toHaveLength(2);
    expect(runs.list()).toEqual([server.run]);
  });

  test("gives the empty page, and forgets nothing, when no sidecar answers in time", async () => {
    const { server, client } = setUp();
    Object.assign(server.weather, { ws: "refuse", http: "refuse" });
    runs.save([server.run]);
    expect(await texts(createCrewHistory(client, { runs, patience: 30 }))).toEqual({ told: [], unstable_resume: false });
    expect(runs.list()).toEqual([server.run]);
  });

  test("words the brief as the page does", async () => {
    const { server, client } = setUp();
    runs.save([server.run]);
    const history = createCrewHistory(client, { runs, toText: (inputs) => Object.keys(inputs).join(), toResult: () => ({ content: [{ type: "text", text: "!" }] }) });
    expect((await texts(history)).told).toEqual([
      ["user", { type: "text", text: "message" }],
      ["assistant", { type: "text", text: "!" }],
    ]);
  });
});

describe("in assistant-ui's LocalRuntime", () => {
  let root: Root | undefined;
  afterEach(async () => {
    await act(async () => root?.unmount());
    root = undefined;
  });

  async function mount(client: ReturnType<typeof setUp>["client"]): Promise<AssistantRuntime> {
    let runtime: AssistantRuntime | undefined;
    const adapter = createCrewAdapter(client, { runs });
    const adapters = { history: createCrewHistory(client, { runs }) };
    function App() {
      runtime = useLocalRuntime(adapter, { adapters });
      return <AssistantRuntimeProvider runtime={runtime}>{null}</AssistantRuntimeProvider>;
    }
    root = createRoot(document.createElement("div"));
    await act(async () => root?.render(<StrictMode><App /></StrictMode>));
    return runtime!;
  }
  const until = (check: () => void) => act(() => vi.waitFor(check, { interval: 10 }));
  const messages = (runtime: AssistantRuntime) => runtime.thread.getState().messages;

  test("a page that is loaded in the middle of a run goes on with it, and starts none", async () => {
    const { server, client } = setUp();
    server.hold(6);
    server.sayWhenLive();
    runs.save([server.run]);
    const runtime = await mount(client);
    await until(() => expect(messages(runtime).at(-1)?.content.at(-1)).toMatchObject({ type: "text", text: "A" }));
    expect(messages(runtime).map(({ role }) => role)).toEqual(["user", "assistant"]);
    expect(runtime.thread.getState().isRunning).toBe(true);
    server.grow();
    await until(() => expect(messages(runtime).at(-1)?.status).toEqual({ type: "complete", reason: "stop" }));
    expect(messages(runtime)).toHaveLength(2);
    expect(server.effects).toEqual([]);
  });

  test("Stop cancels a run that was gone on with", async () => {
    const { server, client } = setUp();
    server.hold(6);
    server.sayWhenLive();
    runs.save([server.run]);
    const runtime = await mount(client);
    await until(() => expect(runtime.thread.getState().isRunning).toBe(true));
    act(() => runtime.thread.cancelRun());
    await until(() => expect(messages(runtime).at(-1)?.status).toEqual({ type: "incomplete", reason: "cancelled" }));
    await until(() => expect(server.effects).toMatchObject([{ cmd: "cancel", run: server.run }]));
  });

  test("a message is noted, so that the next page finds it", async () => {
    const { server, client } = setUp();
    const runtime = await mount(client);
    act(() => runtime.thread.append("hi"));
    await until(() => expect(messages(runtime).at(-1)?.status?.type).toBe("complete"));
    expect(runs.list()).toEqual([server.run]);
  });
});
