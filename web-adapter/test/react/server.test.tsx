// @vitest-environment jsdom
import { act } from "react";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { describe, expect, test, vi } from "vitest";
import { viewOf, type CrewClient, type RunView } from "../../src/index.ts";
import { useCrewConnection, useCrewRun, useCrewRuns } from "../../src/react/index.ts";
import { fakeServer } from "../fakeServer.ts";
import { eventsOf, snapshotOf } from "../vectors.ts";
import { clientOf, until } from "./mount.tsx";

const LOG = eventsOf("completed");

function setUp() {
  const server = fakeServer(LOG);
  return { server, client: clientOf(server) };
}

function Run({ client, initial }: { readonly client: CrewClient; readonly initial?: RunView }) {
  const run = useCrewRun(client, "r_01jd", initial);
  const { state } = useCrewConnection(client);
  const { loading } = useCrewRuns(client);
  return (
    <p>
      {run.state} {"output" in run && run.output} {"tasks" in run && run.tasks.map(({ output }) => output).join()}{" "}
      {state} {loading && "looking"}
    </p>
  );
}

/** The page as a server renders it, for a browser in which `client` follows a run already. */
async function page(initial: RunView | undefined) {
  const { server, client } = setUp();
  const onServer = setUp();
  const app = (of: CrewClient) => <Run client={of} {...(initial && { initial })} />;
  const place = document.createElement("div");
  place.innerHTML = renderToString(app(onServer.client));
  const rendered = place.textContent;
  const unmount = new AbortController();
  const before = client.follow("r_01jd", { signal: unmount.signal });
  server.hold(4);
  await before.next();
  const complaints: unknown[] = [];
  vi.spyOn(console, "error").mockImplementation((...said) => void complaints.push(said));
  const root = await act(async () =>
    hydrateRoot(place, app(client), { onRecoverableError: (error) => complaints.push(error) }),
  );
  return {
    rendered,
    place,
    asked: onServer.server.requests,
    complaints,
    server,
    async leave() {
      await act(async () => root.unmount());
      unmount.abort();
      await before.return();
    },
  };
}

describe("a page that a server renders", () => {
  test("shows a run from its snapshot, and hydrates without a mismatch though the browser is connected already", async () => {
    const { rendered, place, asked, complaints, server, leave } = await page(viewOf(snapshotOf("completed")));
    expect(rendered).toBe("completed Up and up A plan,Warm,Up and up idle looking");
    expect(asked).toEqual([]);
    expect(complaints).toEqual([]);
    server.grow();
    await until(() => expect(place.textContent).toContain("completed Up and up A plan,Warm,Up and up open"));
    expect(complaints).toEqual([]);
    await leave();
  });

  test("without one it says that it is loading", async () => {
    const { rendered, complaints, leave } = await page(undefined);
    expect(rendered).toBe("loading   idle looking");
    expect(complaints).toEqual([]);
    await leave();
  });
});
