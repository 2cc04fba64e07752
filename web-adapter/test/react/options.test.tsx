// @vitest-environment jsdom
import { AssistantRuntimeProvider, type AssistantRuntime } from "@assistant-ui/react";
import { act, useEffect, useState } from "react";
import { expect, test } from "vitest";
import { useCrewRuntime, type CrewAdapterOptions } from "../../src/react/index.ts";
import { fakeServer } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";
import { clientOf, show, until } from "./mount.tsx";

test("the newest options count, one that is taken away counts no more, and the runtime stays the same", async () => {
  const server = fakeServer(eventsOf("completed"));
  const client = clientOf(server);
  const seen = new Set<AssistantRuntime>();
  let change = (_: CrewAdapterOptions) => {};
  function App() {
    const [options, set] = useState<CrewAdapterOptions>({ crew: "reviewers" });
    change = set;
    const runtime = useCrewRuntime(client, options);
    useEffect(() => void seen.add(runtime));
    return <AssistantRuntimeProvider runtime={runtime}>{null}</AssistantRuntimeProvider>;
  }
  await show(<App />);
  const [runtime] = seen;
  act(() => runtime!.thread.append("hi"));
  await until(() => expect(server.effects).toMatchObject([{ cmd: "start", crew: "reviewers" }]));
  const last = () => runtime!.thread.getState().messages.at(-1);
  await until(() => expect(last()?.status?.type).toBe("complete"));
  await act(async () => change({ review: () => ["research_trends"] }));
  act(() => runtime!.thread.append("again"));
  await until(() => expect(server.effects).toMatchObject([{}, { cmd: "start", review: ["research_trends"] }]));
  expect(server.effects[1]).not.toHaveProperty("crew");
  expect(seen.size).toBe(1);
});
