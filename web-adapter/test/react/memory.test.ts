// @vitest-environment jsdom
import { beforeEach, describe, expect, test } from "vitest";
import { conversation } from "../../src/react/index.ts";

const here = { url: "http://one.test", storage: () => sessionStorage };

beforeEach(() => sessionStorage.clear());

describe("the conversation that a tab is in", () => {
  test("is none before something is said, and then one that another page of the tab finds", () => {
    expect(conversation(here).noted()).toBeUndefined();
    const id = conversation(here).id();
    expect(id).toMatch(/^t_[\w.:-]{1,62}$/);
    expect([conversation(here).id(), conversation(here).noted()]).toEqual([id, id]);
  });

  test("is another one once it was cleared", () => {
    const one = conversation(here);
    const id = one.id();
    conversation(here).clear();
    expect(one.noted()).toBeUndefined();
    expect(one.id()).not.toBe(id);
  });

  test("is another one at each sidecar and under each name, and clearing one leaves the others alone", () => {
    const all = [
      conversation(here),
      conversation({ ...here, url: "http://two.test" }),
      conversation(here, "a"),
      conversation(here, "a/b"),
    ];
    sessionStorage.setItem("somebody else's", "1");
    const ids = all.map((one) => one.id());
    expect(new Set(ids).size).toBe(4);
    all[2]!.clear();
    expect(all.map((one) => one.noted())).toEqual([ids[0], ids[1], undefined, ids[3]]);
    expect(sessionStorage.getItem("somebody else's")).toBe("1");
  });

  test("is the same as long as the page is there, where the storage is blocked or full", () => {
    const blocked = conversation({
      ...here,
      storage() {
        throw new DOMException("no", "SecurityError");
      },
    });
    const full = conversation({
      ...here,
      storage: () =>
        ({
          getItem: () => null,
          setItem() {
            throw new DOMException("full", "QuotaExceededError");
          },
          removeItem: () => {},
        }) as unknown as Storage,
    });
    for (const one of [blocked, full]) {
      const id = one.id();
      expect(one.id()).toBe(id);
      one.clear();
      expect(one.id()).not.toBe(id);
    }
  });
});
