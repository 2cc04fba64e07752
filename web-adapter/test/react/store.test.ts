// @vitest-environment jsdom
import { beforeEach, expect, test, vi } from "vitest";
import type { AppendMessage } from "@assistant-ui/react";
import { createCrewClient } from "../../src/index.ts";
import { createThreads } from "../../src/react/threads.ts";
import { fakeServer, logOf } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";

const FIRST = eventsOf("completed");
const brief = (text: string) =>
  ({ role: "user", content: [{ type: "text", text }], parentId: null }) as unknown as AppendMessage;

beforeEach(() => sessionStorage.clear());

/** The threads of a page by themselves, with an ended run each, and what of them was asked for. */
function setUp(size: number) {
  const ids = Array.from({ length: size }, (_, n) => `t_${n}`);
  const server = fakeServer(FIRST, ...ids.map((id) => logOf(`r${id}`, FIRST)));
  for (const id of ids) server.remember(id, `r${id}`);
  const asked: string[] = [];
  const client = createCrewClient({
    ...server.options,
    random: () => 0,
    fetch: (url, init) => {
      asked.push(new URL(url as string).pathname);
      return server.options.fetch(url, init);
    },
  });
  const threads = createThreads(client, () => ({}));
  const close = threads.open();
  const shows = async (id: string) => {
    threads.switchTo(id);
    await vi.waitFor(() => expect(threads.getState().shown).toMatchObject({ loading: false, running: false }));
  };
  return {
    server,
    threads,
    close,
    ids,
    shows,
    loads: (id: string) => asked.filter((path) => path === `/threads/${id}`).length,
  };
}

test("the 20 conversations that were shown last stay in memory, older ones are read again", async () => {
  const { ids, shows, loads, close } = setUp(22);
  for (const id of ids) await shows(id);
  await shows("t_21");
  await shows("t_3");
  expect([loads("t_21"), loads("t_3")]).toEqual([1, 1]);
  await shows("t_0");
  expect(loads("t_0")).toBe(2);
  close();
});

test("one that is live stays, however many are shown after it", async () => {
  const { server, threads, ids, shows, close } = setUp(22);
  server.hold(6);
  threads.getState().conversation.send(brief("one"));
  await vi.waitFor(() => expect(threads.getState().shown.repository.messages).toHaveLength(2));
  const { threadId } = threads.getState();
  await vi.waitFor(() => expect(server.effects).toHaveLength(1));
  for (const id of ids) await shows(id);
  server.grow();
  threads.switchTo(threadId);
  await vi.waitFor(() => expect(threads.getState().shown).toMatchObject({ loading: false, running: false }));
  expect(server.requests.filter(({ run }) => run === server.run)).toHaveLength(1);
  close();
});
