// @vitest-environment jsdom
import { AssistantRuntimeProvider, type AssistantRuntime } from "@assistant-ui/react";
import { act } from "react";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { CrewClient, CrewInfo } from "../../src/index.ts";
import { useCrewRuntime, useCrews } from "../../src/react/index.ts";
import { fakeServer } from "../fakeServer.ts";
import { eventsOf } from "../vectors.ts";
import { chooseCrew, getChoices, noChoices, read, setInput, toggleReview } from "../../example/components/choices.ts";
import { modelName } from "../../example/components/model.ts";
import { besides, inWords, startOf, startOptions, whoWorks } from "../../example/components/start.ts";
import { StartOptions } from "../../example/components/StartOptions.tsx";
import { clientOf, show, until } from "./mount.tsx";

const page = vi.hoisted(() => ({ crew: undefined as unknown as CrewClient }));
vi.mock("../../example/components/crew.ts", () => page);

const info = (name: string, tasks: readonly string[] = [], more: Partial<CrewInfo> = {}): CrewInfo => ({
  name,
  kind: "crew",
  tasks: tasks.map((task) => ({ name: task, agent: "Ann" })),
  inputs: ["message"],
  model: "offline",
  ...more,
});
const BLOG = info("blog", ["plan", "write_text"]);
const STORY = info("story", ["tell"], { model: "openai/gpt-4o-mini", inputs: ["hero", "place"] });

describe("which crew a brief goes to", () => {
  const name = (crews: readonly CrewInfo[], choices = noChoices, atWork?: string) =>
    startOf(crews, choices, "t_1", atWork).crew?.name;

  test("is the one chosen in the conversation, then the one at work there, then the one chosen last", () => {
    const elsewhere = chooseCrew(noChoices, "t_2", "story");
    expect(name([BLOG, STORY])).toBe("blog");
    expect(name([BLOG, STORY], elsewhere)).toBe("story");
    expect(name([BLOG, STORY], elsewhere, "blog")).toBe("blog");
    expect(name([BLOG, STORY], chooseCrew(elsewhere, "t_1", "story"), "blog")).toBe("story");
  });

  test("is the sidecar's own choice where nobody chose: `default`, or the first", () => {
    expect(name([BLOG, info("default")])).toBe("default");
    expect(name([])).toBeUndefined();
  });

  test("is none that is gone, and none that was chosen elsewhere and can't be built", () => {
    expect(name([BLOG], chooseCrew(noChoices, "t_1", "gone"))).toBe("blog");
    const broken = { ...STORY, error: "no module named tales" };
    expect(name([BLOG, broken], chooseCrew(noChoices, "t_2", "story"))).toBe("blog");
  });
});

test("the tasks to be asked about are remembered by crew, and one that is gone is not asked about", () => {
  const chosen = ["plan", "gone"].reduce((choices, task) => toggleReview(choices, "blog", task), noChoices);
  expect([...startOf([BLOG, STORY], chosen, "t_1").review]).toEqual(["plan"]);
  expect([...startOf([STORY], chosen, "t_1").review]).toEqual([]);
  expect([...startOf([BLOG], toggleReview(chosen, "blog", "plan"), "t_1").review]).toEqual([]);
});

test.each([
  [["message", "history", "current_year"], []],
  [["topic", "current_date"], []],
  [["user_input", "audience"], ["audience"]],
  [
    ["topic", "audience"],
    ["topic", "audience"],
  ],
  [["message", "locale", "language"], ["language"]],
  [["topic", "output_language"], ["output_language"]],
])("of what templates want, %j, a brief leaves %j to be given", (wanted, left) => {
  expect(besides(wanted)).toEqual(left);
});

test("what was kept by somebody else, or is broken, is as good as nothing", () => {
  for (const text of [null, "{", "[]", '"yes"', '{"crews":7,"review":{"blog":"plan"},"inputs":{"blog":{"a":1}}}'])
    expect(read(text)).toEqual(noChoices);
  const kept = setInput(chooseCrew(toggleReview(noChoices, "blog", "plan"), "t_1", "blog"), "story", "hero", "Mo");
  expect(read(JSON.stringify(kept))).toEqual(kept);
});

test("the conversations whose crew was chosen longest ago are forgotten", () => {
  let choices = noChoices;
  for (let n = 0; n < 300; n++) choices = chooseCrew(choices, `t_${n}`, "blog");
  expect(Object.keys(choices.crews)).toHaveLength(200);
  expect(choices.crews).toHaveProperty("t_299");
});

test("names of tasks and models are for people", () => {
  expect(inWords("create_content_plan")).toBe("Create content plan");
  expect(inWords("writePost")).toBe("Write Post");
  expect(["offline", "openai/gpt-4o-mini", "gpt-4.1"].map(modelName)).toEqual([
    "Offline model",
    "gpt-4o-mini",
    "gpt-4.1",
  ]);
});

test("who works is a sentence, where it is known and fits into one", () => {
  const crew = (...agents: string[]) => ({ ...BLOG, tasks: agents.map((agent) => ({ name: agent, agent })) });
  expect(whoWorks(crew("Ann ", "Ben", "Ann"))).toBe("Ann and Ben take it from there.");
  expect(whoWorks(crew("Ann"))).toBe("Ann takes it from there.");
  const unknown = "It goes to work, and you see every step.";
  expect(whoWorks(undefined)).toBe(unknown);
  expect(whoWorks(info("flow"))).toBe(unknown);
});

describe("on the page", () => {
  beforeEach(() => localStorage.clear());

  /** The options under the runtime of the page. */
  async function mount(...crews: CrewInfo[]) {
    const server = fakeServer(eventsOf("completed"));
    page.crew = { ...clientOf(server), crews: async () => crews };
    let runtime: AssistantRuntime | undefined;
    function Page() {
      runtime = useCrewRuntime(page.crew, startOptions(useCrews(page.crew).crews));
      return (
        <AssistantRuntimeProvider runtime={runtime}>
          <StartOptions />
        </AssistantRuntimeProvider>
      );
    }
    const place = await show(<Page />);
    document.body.replaceChildren(place);
    await until(() => expect(place.querySelector(".start")).not.toBeNull());
    return { server, place, send: (text: string) => act(() => runtime!.thread.append(text)) };
  }

  const type = (box: HTMLInputElement | HTMLSelectElement, value: string) =>
    act(async () => {
      const proto = box instanceof HTMLSelectElement ? HTMLSelectElement.prototype : HTMLInputElement.prototype;
      Object.getOwnPropertyDescriptor(proto, "value")!.set!.call(box, value);
      box.dispatchEvent(new Event(box instanceof HTMLSelectElement ? "change" : "input", { bubbles: true }));
    });

  test("a run starts with the crew, the inputs and the tasks that were chosen", async () => {
    const { server, place, send } = await mount(BLOG, STORY);
    const picker = place.querySelector("select")!;
    expect(picker.value).toBe("blog");
    expect(place.textContent).toContain("Offline model");
    await type(picker, "story");
    expect(place.textContent).toContain("gpt-4o-mini");
    await type(place.querySelector<HTMLInputElement>("input:not([type=checkbox])")!, "Mo");
    await act(async () => place.querySelector<HTMLInputElement>("input[type=checkbox]")!.click());
    expect(place.textContent).toContain("Ask me after Tell");
    send("A tale");
    const started = { cmd: "start", crew: "story", inputs: { hero: "Mo", message: "A tale" }, review: ["tell"] };
    await until(() => expect(server.effects).toMatchObject([started]));
    expect(server.effects[0]).not.toHaveProperty("inputs.place");
    expect(Object.values(getChoices().crews)).toContain("story");
  });

  test("where there is one crew nothing is chosen and nobody is asked by default", async () => {
    const { server, place, send } = await mount(BLOG);
    expect(place.querySelector("select")).toBeNull();
    expect(place.querySelectorAll("input:checked")).toHaveLength(0);
    send("A tale");
    await until(() =>
      expect(server.effects).toMatchObject([{ cmd: "start", inputs: { message: "A tale" }, review: [] }]),
    );
    expect(server.effects[0]).not.toHaveProperty("crew");
  });

  test("a crew that can't be built is shown with its reason, and cannot be chosen", async () => {
    const { place } = await mount(BLOG, { ...STORY, error: "agents.yaml:3: no role\n  ^" });
    const [, story] = place.querySelectorAll("option");
    expect(story).toMatchObject({ disabled: true, textContent: "Story (can’t be built: agents.yaml:3: no role)" });
  });
});
