// @vitest-environment jsdom
import { AssistantRuntimeProvider, ThreadPrimitive, type AssistantRuntime } from "@assistant-ui/react";
import { flushSync } from "react-dom";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createCrewClient, type CrewClient, type RunEvent } from "../../src/index.ts";
import { useCrewRuntime } from "../../src/react/index.ts";
import { fakeServer } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";
import { AssistantMessage } from "../../example/components/messages/AssistantMessage.tsx";
import { Connection, Trouble } from "../../example/components/Connection.tsx";
import { Markdown } from "../../example/components/Markdown.tsx";
import { says } from "../../example/components/useCommand.ts";

const page = vi.hoisted(() => ({
  crew: undefined as unknown as CrewClient,
  sidecar: { address: () => "http://sidecar", start: "make serve" },
}));
vi.mock("../../example/components/crew.ts", () => page);
Element.prototype.scrollTo ??= () => {};

let root: Root;
let place: HTMLElement;

beforeEach(() => {
  sessionStorage.clear();
  place = document.createElement("div");
  root = createRoot(place);
});
afterEach(() => root.unmount());

function setUp(log: readonly RunEvent[] = eventsOf("completed")) {
  const server = fakeServer(log);
  page.crew = createCrewClient({ ...server.options, random: () => 0, limits: { open: 60, ack: 60 } });
  return server;
}

const shows = (text: string) => vi.waitFor(() => expect(place.textContent).toContain(text), { interval: 10 });

/** Shows the replies of a conversation, whose first message is sent. */
async function send(): Promise<void> {
  let runtime: AssistantRuntime | undefined;
  function Page() {
    runtime = useCrewRuntime(page.crew);
    return (
      <AssistantRuntimeProvider runtime={runtime}>
        <ThreadPrimitive.Messages components={{ UserMessage: () => null, AssistantMessage }} />
      </AssistantRuntimeProvider>
    );
  }
  root.render(<Page />);
  await vi.waitFor(() => expect(runtime).toBeDefined());
  runtime!.thread.append("hi");
}

test("trouble of the sidecar's is told while it lasts, to a screen reader too", async () => {
  const server = setUp();
  server.hold(4);
  const controller = new AbortController();
  const following = (async () => {
    for await (const _ of page.crew.follow(server.run, { signal: controller.signal }));
  })();
  root.render(
    <>
      <Connection />
      <Trouble />
    </>,
  );
  await shows("Live by WebSocket");
  const line = place.querySelector("[role=status]")!;
  expect(line.textContent).toBe("");
  server.weather.trouble = "database or disk is full";
  server.ping();
  const words = "The sidecar cannot store events: database or disk is full. The run goes on by itself when it can.";
  await vi.waitFor(() => expect(line.textContent).toBe(words));
  server.weather.trouble = undefined;
  server.ping();
  await vi.waitFor(() => expect(line.textContent).toBe(""));
  controller.abort();
  await expect(following).rejects.toBe(controller.signal.reason);
});

test("a run that was carried on says so, one that was not says nothing of it", async () => {
  setUp(eventsOf("second attempt, completed: the final event's usage is the one that counts"));
  await send();
  await shows("Attempt 2: carried on after a restart");
  root.unmount();

  root = createRoot(place);
  setUp();
  await send();
  await shows("Done");
  expect(place.textContent).not.toContain("Attempt");
});

test("a run that was refused did not begin, and that reads well", async () => {
  setUp().weather.refused.start = "unknown_crew";
  await send();
  await shows("The crew couldn’t startStart is refused.");
  expect(place.querySelector("[role=alert]")).not.toBeNull();
});

test.each([
  [
    "nothing was done: database or disk is full",
    true,
    "Nothing was done: database or disk is full. Try again in a moment.",
  ],
  ["No sidecar answers at http://x.", true, "No sidecar answers at http://x. Try again in a moment."],
  ["somebody else has answered this question", false, "Somebody else has answered this question."],
])("a refusal is told as a sentence: %s", (message, temporary, sentence) => {
  expect(says({ message, temporary })).toBe(sentence);
});

test("a block that would hold the page up is shown as it is written, and prose is not", () => {
  const shown = (text: string) => {
    flushSync(() => root.render(<Markdown text={text} />));
    return { plain: place.querySelector(".plain") !== null, text: place.textContent };
  };
  const lists = "1. ".repeat(900);
  expect(shown(lists)).toEqual({ plain: true, text: lists });
  expect(shown("_*".repeat(3_300)).plain).toBe(true);
  expect(shown("A **bold** word. ".repeat(170))).toEqual({ plain: false, text: "A bold word. ".repeat(170).trimEnd() });
});
