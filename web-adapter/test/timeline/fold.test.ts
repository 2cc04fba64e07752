import { expect, test } from "vitest";
import { reduce, emptyRun, type RunEvent } from "../../src/index.ts";
import { createFold } from "../../example/components/timeline/fold.ts";
import { recordingOf } from "../../example/components/timeline/recording.ts";
import { runs } from "../vectors.ts";
import { endsOf, endsOfBars, sorted } from "./ends.ts";

function timelineOf(events: readonly RunEvent[]) {
  const fold = createFold();
  for (const event of events) fold.push(event);
  return fold.timeline();
}

test.each(runs)("every bar of a run ends where the log says: $name", ({ events }) => {
  const log = unrepeated(events);
  expect(sorted(endsOfBars(timelineOf(events).bars))).toEqual(sorted(endsOf(log)));
});

const unrepeated = (events: readonly RunEvent[]) =>
  events.filter(({ seq }, n) => events.slice(0, n).every((one) => one.seq < seq));

test.each(runs)("told bit by bit and looked at each time it comes to the same: $name", ({ events }) => {
  const fold = createFold();
  for (const event of events) {
    fold.push(event);
    fold.timeline();
  }
  expect(fold.timeline()).toEqual(timelineOf(events));
});

test.each(runs)("a moment is the run by the events until then: $name", ({ events }) => {
  const recording = recordingOf(events);
  for (const at of [0, ...events.flatMap(({ ts }) => [ts - 1, ts])])
    expect(recording.viewAt(at)).toEqual(events.filter(({ ts }) => ts <= at).reduce(reduce, emptyRun));
});
