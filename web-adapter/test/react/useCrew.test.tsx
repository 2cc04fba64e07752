// @vitest-environment jsdom
import { act } from "react";
import { createRoot } from "react-dom/client";
import { beforeEach, expect, test, vi } from "vitest";
import type * as Package from "../../src/index.ts";

const asked = vi.hoisted(() => vi.fn());
vi.mock("../../example/components/crew.ts", () => ({ crew: { crews: asked } }));
vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);

beforeEach(() => {
  vi.resetModules();
  asked.mockReset();
  localStorage.setItem("crew.review", "yes");
});

const task = (name: string, agent: string) => ({ name, agent });

/** What the welcome says once it is mounted, and the tasks that a start asks to review. */
async function mounted() {
  const { useCrew, whoWorks } = await import("../../example/components/useCrew.ts");
  const { tasksToReview } = await import("../../example/components/review.ts");
  const Page = () => whoWorks(useCrew());
  const mount = async () => {
    const place = document.createElement("div");
    const root = createRoot(place);
    await act(async () => root.render(<Page />));
    const text = place.textContent;
    await act(async () => root.unmount());
    return { text, review: tasksToReview() };
  };
  return { mount };
}

test("the first task of the sidecar's own crew is the one to review, and its agents are named", async () => {
  const one = { name: "default", tasks: [task("research", "Ann "), task("write", "Ben"), task("edit", "Ann")] };
  asked.mockResolvedValue([{ name: "another", tasks: [] }, one]);
  const { mount } = await mounted();
  expect(await mount()).toEqual({ text: "Ann and Ben take it from there.", review: ["research"] });
  await mount();
  expect(asked).toHaveBeenCalledTimes(1);
});

test("of several that have names it is the first", async () => {
  asked.mockResolvedValue([
    { name: "blog", tasks: [task("draft", "Ann")] },
    { name: "story", tasks: [] },
  ]);
  const { mount } = await mounted();
  expect(await mount()).toEqual({ text: "Ann takes it from there.", review: ["draft"] });
});

test("a flow, whose tasks nobody knows, has none to review", async () => {
  asked.mockResolvedValue([{ name: "default", tasks: [] }]);
  const { mount } = await mounted();
  expect(await mount()).toEqual({ text: "It goes to work, and you see every step.", review: [] });
});

test("a sidecar that does not answer is asked again by the next that wants to know", async () => {
  // The one that the modules loaded afresh for this test know.
  const { CrewError } = await vi.importActual<typeof Package>("../../src/index.ts");
  const away = new CrewError({ code: "unreachable", message: "No sidecar answers.", temporary: true });
  asked.mockRejectedValueOnce(away).mockRejectedValueOnce(away);
  asked.mockResolvedValueOnce([{ name: "default", tasks: [task("draft", "Ann")] }]);
  const { mount } = await mounted();
  expect((await mount()).review).toEqual([]);
  expect((await mount()).review).toEqual([]);
  expect((await mount()).review).toEqual(["draft"]);
});
