import type { RunSnapshot, RunState } from "crew-web-adapter";
import { describe, expect, test } from "vitest";
import { briefOf } from "../example/components/runs/brief.ts";
import { countOf, EVERYTHING, filterOf, queriesOf, queryOf, type Filter } from "../example/components/runs/filter.ts";
import { inOrder, placeInWords } from "../example/components/runs/order.ts";
import { lasting } from "../example/components/runs/When.tsx";

describe("runs are in the order", () => {
  const order = (...runs: readonly [name: string, state: RunState, position?: number][]): string =>
    inOrder(
      runs.map(([run, state, position]): Pick<RunSnapshot, "run" | "state" | "position"> => ({
        run,
        state,
        ...(position !== undefined && { position }),
      })),
    )
      .map(({ run }) => run)
      .join(" ");

  test("in which they want somebody, newest first", () => {
    expect(
      order(
        ["done", "completed"],
        ["line", "queued", 1],
        ["paused", "paused"],
        ["works", "running"],
        ["asks", "waiting"],
        ["begins", "starting"],
        ["failed", "failed"],
        ["asks-too", "waiting"],
      ),
    ).toBe("asks asks-too works begins paused line done failed");
  });

  test("in which they will start, as far as they wait for their turn", () => {
    expect(order(["c", "queued", 3], ["a", "queued", 1], ["b", "queued", 2])).toBe("a b c");
    expect(order(["newest", "queued"], ["older", "queued"], ["placed", "queued", 9])).toBe("placed older newest");
  });

  test("and those say their place", () => {
    const said = [1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111, 1_002].map(placeInWords);
    expect(said.map((words) => words.replace(" in the queue", "")).join(" ")).toBe(
      "Next 2nd 3rd 4th 11th 12th 13th 21st 22nd 103rd 111th 1,002nd",
    );
  });
});

describe("what the page's address asks for", () => {
  const of = (query: string): Filter => filterOf(new URLSearchParams(query));

  test("is a state, a crew and words, and nothing else", () => {
    expect(of("state=failed&crew=blog&q=+tea++shop+&transport=sse")).toEqual({
      state: "failed",
      crew: "blog",
      q: "tea  shop",
    });
    for (const query of ["", "state=&crew=&q=", "state=asleep", "state=toString"])
      expect(of(query)).toEqual(EVERYTHING);
  });

  test("is written back without what it does not ask for, beside what is not its own", () => {
    const query = new URLSearchParams("transport=sse&q=tea");
    expect(queryOf({ state: "done", crew: null, q: "tea & milk" }, query)).toBe(
      "?transport=sse&q=tea+%26+milk&state=done",
    );
    expect(queryOf(EVERYTHING, query)).toBe("?transport=sse");
    expect(queryOf(EVERYTHING, new URLSearchParams("q=tea"))).toBe("");
  });

  test("is asked of the open and of the finished ones, of which one tells the counts", () => {
    expect(queriesOf(EVERYTHING)).toEqual({
      open: { state: ["live"], limit: 1_000 },
      over: { state: ["final"], limit: 50, counts: true },
    });
    expect(queriesOf(of("state=waiting&q=tea"))).toEqual({
      open: { state: ["waiting"], q: "tea", limit: 1_000, counts: true },
      over: null,
    });
    expect(queriesOf(of("state=failed&crew=blog"))).toEqual({
      open: null,
      over: { state: ["failed", "interrupted"], crew: "blog", limit: 50, counts: true },
    });
  });

  test("has a number, from how many there are in each state", () => {
    const counts = { running: 2, waiting: 1, completed: 800, failed: 3, interrupted: 1 };
    const names = [null, "waiting", "open", "done", "failed", "stopped", "over"] as const;
    expect(names.map((name) => countOf(name, counts))).toEqual([807, 1, 3, 800, 4, 0, 804]);
    expect(countOf("open", undefined)).toBeUndefined();
  });
});

test("a run is called by its brief, under whichever name, else by what it was given, and never by nothing", () => {
  const brief = (inputs: Record<string, unknown>) => briefOf({ inputs });
  expect(brief({ topic: "Milk", message: " Tea " })).toBe("Tea");
  expect(brief({ message: "", campaign_context: "A summer" })).toBe("A summer");
  expect(brief({ history: "User: Tea", topic: "Milk" })).toBe("Milk");
  expect(brief({ events: 20, places: ["a"], none: null })).toBe('events: 20, places: ["a"]');
  for (const inputs of [{}, { message: "" }, { message: "  ", history: "User: Tea" }, { topic: null }])
    expect(brief(inputs)).toBe("Without a brief");
});

test("how long it took is said in whole seconds from ten on, and never in sixty of them", () => {
  const said = [0, 1_240, 9_940, 9_960, 59_400, 59_600, 119_700, 3_599_600, 5_400_000].map(lasting);
  expect(said).toEqual([
    "an instant",
    "1.2 s",
    "9.9 s",
    "10.0 s",
    "59 s",
    "1 min 0 s",
    "2 min 0 s",
    "1 h 0 min",
    "1 h 30 min",
  ]);
});
