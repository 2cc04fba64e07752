// @vitest-environment jsdom
import { act } from "react";
import { createRoot } from "react-dom/client";
import { expect, test, vi } from "vitest";
import { createCrewClient, type CrewClient } from "../../src/index.ts";
import { OverRow } from "../../example/components/runs/RunRow.tsx";
import { fakeServer } from "../fakeServer.ts";
import { eventsOf, snapshotOf } from "../vectors.ts";

const page = vi.hoisted(() => ({ crew: undefined as unknown as CrewClient }));
vi.mock("../../example/components/crew.ts", () => page);
vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);

const HOUR = 3_600_000;

test("a list of what ended long ago has no clock, and of what ended just now one of ten seconds a row", async () => {
  page.crew = createCrewClient(fakeServer(eventsOf("completed")).options);
  const ticks = vi.spyOn(globalThis, "setInterval");
  const show = async (created: number) => {
    ticks.mockClear();
    const place = document.createElement("div");
    const root = createRoot(place);
    const runs = Array.from({ length: 50 }, (_, n) => ({ ...snapshotOf("completed"), run: `r_${n}`, created }));
    await act(async () =>
      root.render(
        <ul>
          {runs.map((run) => (
            <OverRow key={run.run} run={run} namesCrew={false} onRemove={async () => {}} />
          ))}
        </ul>,
      ),
    );
    expect(place.querySelectorAll("time")).toHaveLength(50);
    const every = ticks.mock.calls.map(([, ms]) => ms);
    await act(async () => root.unmount());
    return every;
  };
  expect(await show(Date.now() - 2 * HOUR)).toEqual([]);
  expect(new Set(await show(Date.now()))).toEqual(new Set([10_000]));
});
