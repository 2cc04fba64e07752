// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { conversation } from "../../src/react/index.ts";

const storage = () => sessionStorage;
const runs = conversation({ storage });

beforeEach(() => {
  sessionStorage.clear();
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

/** Adds them one after the other, a millisecond apart. */
function add(...ids: readonly string[]): void {
  for (const id of ids) {
    runs.add(id);
    vi.advanceTimersByTime(1);
  }
}

describe("the memory of runs", () => {
  test("keeps them in order, each with the run it branches off from", () => {
    expect(runs.list()).toEqual([]);
    add("r_b");
    runs.add("r_a", "r_b");
    vi.advanceTimersByTime(1);
    runs.add("r_0", "");
    expect(runs.list()).toEqual(["r_b", "r_a", "r_0"]);
    expect(runs.after("r_0")).toBe("");
    expect([runs.after("r_b"), runs.after("r_a"), runs.after("r_c")]).toEqual([undefined, "r_b", undefined]);
  });

  test("keeps no more than the newest 20", () => {
    add(...Array.from({ length: 25 }, (_, n) => `r_${n}`));
    expect(runs.list()).toEqual(Array.from({ length: 20 }, (_, n) => `r_${n + 5}`));
    expect(sessionStorage).toHaveLength(20);
  });

  test("forgets one, or all of them for a new conversation, and nothing else", () => {
    sessionStorage.setItem("somebody else's", "1");
    const other = conversation({ storage }, "other");
    other.add("r_x");
    add("r_1", "r_2", "r_3");
    runs.forget("r_2");
    expect(runs.list()).toEqual(["r_1", "r_3"]);
    runs.clear();
    expect(runs.list()).toEqual([]);
    expect(other.list()).toEqual(["r_x"]);
    expect(sessionStorage.getItem("somebody else's")).toBe("1");
  });

  test("shares a storage with another page without writing over it", () => {
    const elsewhere = conversation({ storage });
    add("r_1");
    const before = elsewhere.list();
    add("r_2");
    elsewhere.add("r_3", before.at(-1));
    expect(runs.list()).toEqual(["r_1", "r_2", "r_3"]);
  });

  test("does without a storage that is blocked", () => {
    const blocked = conversation({
      storage() {
        throw new DOMException("no", "SecurityError");
      },
    });
    blocked.add("r_1");
    blocked.clear();
    expect(blocked.list()).toEqual([]);
    expect(blocked.after("r_1")).toBeUndefined();
  });
});
