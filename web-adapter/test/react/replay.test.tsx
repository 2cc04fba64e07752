// @vitest-environment jsdom
import { act } from "react";
import { expect, test, vi } from "vitest";
import { recordingOf } from "../../example/components/timeline/recording.ts";
import { Replay } from "../../example/replay/Replay.tsx";
import type { RunEvent } from "../../src/index.ts";
import { show } from "./mount.tsx";

vi.stubGlobal(
  "ResizeObserver",
  // jsdom lays nothing out: there is no size to be told.
  class {
    observe() {}
    disconnect() {}
  },
);

const START = Date.UTC(2020, 0, 1);
const TOLD: readonly (readonly [type: string, seconds: number, data: object])[] = [
  ["run.queued", 0, { crew: "default", inputs: { message: "A tea shop opens" }, review: [], position: 0 }],
  ["run.started", 0, { model: "m", attempt: 1, tasks: [{ name: "one", agent: "A", tid: "1" }] }],
  ["task.started", 0, { name: "one", index: 0, of: 1 }],
  ["tool.started", 1, { call: "t", tool: "count", args: {} }],
  ["log", 61, { stream: "stdout", text: "counting" }],
];
const events = TOLD.map(([type, seconds, data], n) => {
  const ts = START + seconds * 1_000;
  return { type, run: "r_1", seq: n + 1, id: `e-${n + 1}`, ts, at: ts, task: "one", agent: "A", tid: "1", data };
}) as unknown as readonly RunEvent[];
const about = { run: "r_1", exported: START, sidecar: "0.1.0", first: 1, cut: false };

test("time is that of the moment that is shown, however long ago it was", async () => {
  const place = await show(<Replay recording={recordingOf(events)} about={about} />);
  expect(place.querySelector("h1")!.textContent).toBe("A tea shop opens");
  expect(place.querySelector("[data-testid=run-state]")!.textContent).toContain("1 min 1 s");
  const moment = place.querySelector<HTMLInputElement>("[aria-label=Moment]")!;
  await act(async () => {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")!.set!.call(moment, "21000");
    moment.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const tool = place.querySelector("[data-testid=tool]")!;
  expect(tool.getAttribute("data-state")).toBe("running");
  expect(tool.querySelector(".card-time")!.textContent).toBe("20 s");
});
