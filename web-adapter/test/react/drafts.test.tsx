// @vitest-environment jsdom
import { AssistantRuntimeProvider, type AssistantRuntime } from "@assistant-ui/react";
import { act } from "react";
import { expect, test, vi } from "vitest";
import type { CrewClient } from "../../src/index.ts";
import { useCrewRuntime } from "../../src/react/index.ts";
import { nameInAddress, useThreadInAddress } from "../../example/components/address.ts";
import { draftOf, keepDraft, useDrafts } from "../../example/components/drafts.ts";
import { fakeServer, logOf } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";
import { clientOf, leave, show, until } from "./mount.tsx";

async function open(client: CrewClient) {
  let runtime: AssistantRuntime | undefined;
  function Typing() {
    useDrafts();
    return null;
  }
  function Page() {
    runtime = useCrewRuntime(client, { threadId: useThreadInAddress(), onThreadIdChange: nameInAddress });
    return (
      <AssistantRuntimeProvider runtime={runtime}>
        <Typing />
      </AssistantRuntimeProvider>
    );
  }
  await show(<Page />);
  const { thread, threads } = runtime!;
  return {
    threads,
    typed: () => thread.composer.getState().text,
    type: (text: string) => act(async () => thread.composer.setText(text)),
    send: () => act(async () => thread.composer.send()),
  };
}

test("a draft stays with its conversation, a new one's too, over switches and a reload", async () => {
  const server = fakeServer(eventsOf("completed"), logOf("r_02", eventsOf("completed")));
  const client = clientOf(server);
  const page = await open(client);
  await page.type("A tea shop opens");
  await page.send();
  await until(() => expect(server.threads.size).toBe(1));
  const [first = ""] = server.threads.keys();
  await until(() => expect(page.typed()).toBe(""));
  await page.type("Shorter, and");
  await act(async () => page.threads.switchToNewThread());
  await until(() => expect(page.typed()).toBe(""));
  await page.type("Bread");
  await act(async () => page.threads.switchToThread(first));
  await until(() => expect(page.typed()).toBe("Shorter, and"));
  await act(async () => page.threads.switchToNewThread());
  await until(() => expect(page.typed()).toBe("Bread"));
  await leave();

  vi.resetModules();
  const again = await open(client);
  await until(() => expect(again.typed()).toBe("Bread"));
  await again.send();
  await until(() => expect(server.threads.size).toBe(2));
  await until(() => expect(draftOf("")).toBe(""));
  await act(async () => again.threads.switchToThread(first));
  await until(() => expect(again.typed()).toBe("Shorter, and"));
  await leave();

  const there = await open(client);
  await until(() => expect(there.typed()).toBe("Shorter, and"));
  await act(async () => there.threads.switchToNewThread());
  await until(() => expect(there.typed()).toBe(""));
});

test("those typed longest ago are forgotten", () => {
  for (let n = 0; n < 30; n++) keepDraft(`t_${n}`, "text");
  expect(draftOf("t_9")).toBe("");
  expect(draftOf("t_10")).toBe("text");
});
