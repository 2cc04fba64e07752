// @vitest-environment jsdom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CrewError, type QuestionView } from "../../src/index.ts";
import { Answer } from "../../example/components/Answer.tsx";
import { Question } from "../../example/components/Question.tsx";

const crew = vi.hoisted(() => ({ answer: vi.fn() }));
vi.mock("../../example/components/crew.ts", () => ({ crew }));
vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
vi.stubGlobal("matchMedia", () => ({ matches: false }));

let root: Root;
let place: HTMLElement;

beforeEach(() => {
  crew.answer.mockReset().mockResolvedValue(undefined);
  place = document.body.appendChild(document.createElement("div"));
  root = createRoot(place);
});
afterEach(async () => {
  await act(async () => root.unmount());
  place.remove();
});

const asked: QuestionView = {
  kind: "question",
  id: "in_1",
  state: "open",
  in: null,
  after: null,
  prompt: "Is it good?",
  output: "A draft",
  expires: null,
  text: null,
};
const chosen: QuestionView = { ...asked, options: ["approved", "rejected"], method: "write" };
const ask: QuestionView = { ...asked, output: "" };

/** The question where it was asked, and as long as it is open the form for its answer. */
const show = (question: QuestionView) =>
  act(async () =>
    root.render(
      <>
        <Question live question={question} above="" />
        {question.state === "open" && <Answer run="r_1" question={question} asker="Content Planner" />}
      </>,
    ),
  );
const all = () => [...place.querySelectorAll<HTMLButtonElement>("form button")];
const buttons = () => all().map(({ textContent }) => textContent);
const button = (name: string) => all().find(({ textContent }) => textContent === name)!;
const box = () => place.querySelector("textarea")!;

describe("a question with options", () => {
  test("has a button for each, in the order of the keyboard before the box for one's own words", async () => {
    await show(chosen);
    expect(buttons()).toEqual(["approved", "rejected", "Send answer"]);
    const reached = [...place.querySelectorAll<HTMLElement>("form :is(button, textarea)")].filter(
      ({ tabIndex }) => tabIndex >= 0,
    );
    expect(reached.map(({ tagName }) => tagName)).toEqual(["BUTTON", "BUTTON", "TEXTAREA", "BUTTON"]);
    expect(place.querySelector("[role=group]")!.getAttribute("aria-label")).toBe("Answers");
  });

  test("is answered by a click with that very text, once", async () => {
    let answered = () => {};
    crew.answer.mockReturnValue(new Promise<void>((resolve) => (answered = resolve)));
    await show(chosen);
    await act(async () => button("rejected").click());
    await act(async () => button("approved").click());
    expect(crew.answer.mock.calls).toEqual([["r_1", "in_1", "rejected"]]);
    await act(async () => answered());
  });

  test("says what was answered, and that nobody did", async () => {
    await show({ ...chosen, state: "answered", text: "rejected" });
    expect(place.textContent).toContain("Answered: rejected");
    expect(buttons()).toEqual([]);
    await show({ ...chosen, state: "expired" });
    expect(place.textContent).toContain("Nobody answered in time, so the crew moved on");
  });

  test("that has the same one twice shows it once, and one without any is none", async () => {
    await show({ ...asked, options: ["yes", "yes"] });
    expect(buttons()).toEqual(["yes", "Send answer"]);
    await show({ ...asked, options: [] });
    expect(buttons()).toEqual(["Accept", "Send feedback"]);
    expect(place.querySelector("[role=group]")).toBeNull();
  });

  test("says why an answer was refused", async () => {
    crew.answer.mockRejectedValue(
      new CrewError({ code: "illegal_state", message: "no open question", temporary: false }),
    );
    await show(chosen);
    await act(async () => button("approved").click());
    expect(place.querySelector("[role=alert]")!.textContent).toBe("No open question.");
  });
});

test.each([
  [asked, "Feedback for the Content Planner", ["Accept", "Send feedback"], "Accepted", "Feedback: Shorter"],
  [ask, "Answer the Content Planner", ["Skip", "Send answer"], "Skipped", "Answered: Shorter"],
])("a question is asked and its answer told in words that fit: %#", async (question, name, ways, empty, full) => {
  await show(question);
  expect(box().getAttribute("aria-label")).toBe(name);
  expect(buttons()).toEqual(ways);
  await show({ ...question, state: "answered", text: "" });
  expect(place.textContent).toContain(empty);
  await show({ ...question, state: "answered", text: "Shorter" });
  expect(place.textContent).toContain(full);
});

test("who writes feedback can't accept by mistake, and is told why", async () => {
  await show(asked);
  await act(async () => {
    // As React wants it of a box that it controls.
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")!.set!.call(box(), "Shorter");
    box().dispatchEvent(new Event("input", { bubbles: true }));
  });
  await act(async () => button("Accept").click());
  expect(crew.answer).not.toHaveBeenCalled();
  expect(button("Accept").title).toBe("Something is in the box: send feedback, or clear it");
  await act(async () => button("Send feedback").click());
  expect(crew.answer.mock.calls).toEqual([["r_1", "in_1", "Shorter"]]);
});

test("its box has the focus where nothing else has, and takes it from nothing", async () => {
  vi.spyOn(document, "hasFocus").mockReturnValue(true);
  await show(asked);
  expect(document.activeElement).toBe(box());
  await show({ ...asked, state: "answered", text: "" });
  const other = document.body.appendChild(document.createElement("button"));
  other.focus();
  await show({ ...asked });
  expect(document.activeElement).toBe(other);
  other.remove();
});

test("what a question is about is laid out, where it is a structure", async () => {
  await show({ ...chosen, output: '{"_title_": "Tea"}' });
  expect(place.querySelector(".question-output pre")!.textContent).toBe('{\n  "_title_": "Tea"\n}');
});

describe("until when it is open", () => {
  const shown = async (left: number) => {
    await show({ ...asked, expires: Date.now() + left });
    return place.querySelector(".hint")!.textContent;
  };

  test("is told to the second when that is soon, and with the day when it is not", async () => {
    expect(await shown(20_000)).toMatch(/^Open until \d+:\d\d:\d\d/);
    expect(await shown(600_000)).toMatch(/^Open until \d+:\d\d(?!:)/);
    expect(await shown(3 * 86_400_000)).toMatch(/^Open until \p{L}+ \d+, \d+:\d\d(?!:)/u);
  });

  test("is not told of one that is open for ever", async () => {
    await show(asked);
    expect(place.textContent).not.toContain("Open until");
  });
});
