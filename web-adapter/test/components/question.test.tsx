// @vitest-environment jsdom
import { act } from "react";
import { describe, expect, test, vi } from "vitest";
import { CrewQuestion, questionOf, type QuestionFacts } from "../../src/components/index.ts";
import { button, find, key, place, press, show, texts, type } from "./stage.tsx";

const asked: QuestionFacts = { prompt: "Is it good?", output: "A draft", expires: null, state: "open", text: null };
const said = () => find("[role=status]").textContent;

test("what is asked and what it is about are there, and the box is named and described by them", async () => {
  await show(<CrewQuestion question={asked} onAnswer={vi.fn()} />);
  expect(texts(".crew-question-prompt, .crew-question-output")).toEqual(["Is it good?", "A draft"]);
  const box = find("textarea");
  expect(box.getAttribute("aria-label")).toBe("Your answer");
  expect(document.getElementById(box.getAttribute("aria-describedby")!)!.textContent).toBe("Is it good?");
  expect(document.getElementById(find("section").getAttribute("aria-labelledby")!)!.textContent).toBe("Is it good?");
  expect(find(".crew-words").dir).toBe("auto");
});

test("Enter sends the answer without its outer blanks, Shift+Enter and an input method's Enter do not", async () => {
  const onAnswer = vi.fn();
  await show(<CrewQuestion question={asked} onAnswer={onAnswer} />);
  await type("  ");
  await key("Enter");
  await type(" Shorter \n");
  await key("Enter", { shiftKey: true });
  await key("Enter", { isComposing: true });
  expect(onAnswer).not.toHaveBeenCalled();
  await key("Enter");
  expect(onAnswer.mock.calls).toEqual([["Shorter"]]);
  expect(said()).toBe("Sent");
});

test.each([
  ["Accept", asked],
  ["Skip", { ...asked, output: "" }],
])("%s answers with nothing", async (name, question) => {
  const onAnswer = vi.fn();
  await show(<CrewQuestion question={question} onAnswer={onAnswer} />);
  await press(name);
  expect(onAnswer.mock.calls).toEqual([[""]]);
});

test("options are buttons before the box, one each, and nothing is no option", async () => {
  const onAnswer = vi.fn();
  await show(<CrewQuestion question={{ ...asked, options: ["yes", "no", "yes"] }} onAnswer={onAnswer} />);
  expect([...place.querySelectorAll("button, textarea")].map((one) => one.textContent || one.tagName)).toEqual([
    "yes",
    "no",
    "TEXTAREA",
    "Send",
  ]);
  await press("no");
  expect(onAnswer.mock.calls).toEqual([["no"]]);
});

describe("an answer on its way", () => {
  test("is given once, and its button keeps the focus", async () => {
    let arrived = () => {};
    const onAnswer = vi.fn(() => new Promise<void>((resolve) => (arrived = resolve)));
    await show(<CrewQuestion question={asked} onAnswer={onAnswer} />);
    await press("Accept");
    await press("Accept");
    expect(onAnswer).toHaveBeenCalledTimes(1);
    expect(button("Accept").getAttribute("aria-disabled")).toBe("true");
    expect(document.activeElement).toBe(button("Accept"));
    await act(async () => arrived());
  });

  test("that was refused says why, and another one may be given", async () => {
    const onAnswer = vi.fn().mockRejectedValueOnce(new Error("no open question")).mockResolvedValueOnce(undefined);
    await show(<CrewQuestion question={asked} onAnswer={onAnswer} />);
    await press("Accept");
    expect(said()).toBe("no open question");
    expect(place.querySelector("[data-refused]")).not.toBeNull();
    await press("Accept");
    expect(said()).toBe("Sent");
    expect(place.querySelector("[data-refused]")).toBeNull();
  });

  test("leaves the focus at the question, not at the top of the page, when the form goes", async () => {
    await show(<CrewQuestion question={asked} onAnswer={vi.fn()} />);
    await press("Accept");
    await show(<CrewQuestion question={{ ...asked, state: "answered", text: "" }} onAnswer={vi.fn()} />);
    expect(document.activeElement).toBe(find("section"));
    expect(said()).toBe("Accepted");
  });
});

test("a question that somebody else answered takes no focus", async () => {
  await show(<CrewQuestion question={asked} onAnswer={vi.fn()} />);
  await show(<CrewQuestion question={{ ...asked, state: "answered", text: "Shorter" }} onAnswer={vi.fn()} />);
  expect(document.activeElement).toBe(document.body);
});

test.each<[Partial<QuestionFacts>, string]>([
  [{ state: "answered", text: "Shorter" }, "Answered: Shorter"],
  [{ state: "answered", text: "" }, "Accepted"],
  [{ state: "answered", text: "", output: "" }, "Skipped"],
  [{ state: "expired" }, "Nobody answered in time"],
  [{ state: "closed" }, "Closed before an answer"],
])("what became of it is told, without a form: %j", async (change, told) => {
  await show(<CrewQuestion question={{ ...asked, ...change }} onAnswer={vi.fn()} />);
  expect(said()).toBe(told);
  expect(place.querySelector("form")).toBeNull();
  expect(find("section").dataset["state"]).toBe(change.state);
});

test("until when it is open is told where it does not stay open for ever", async () => {
  const expires = Date.UTC(2030, 1, 2, 3, 4, 5);
  await show(<CrewQuestion question={{ ...asked, expires }} onAnswer={vi.fn()} />);
  expect(find("time").getAttribute("datetime")).toBe("2030-02-02T03:04:05.000Z");
  await show(<CrewQuestion question={asked} onAnswer={vi.fn()} />);
  expect(place.querySelector("time")).toBeNull();
});

test("its words can be another language's", async () => {
  await show(<CrewQuestion question={asked} onAnswer={vi.fn()} words={{ accept: "Terima", answer: "Jawaban" }} />);
  expect(texts("button")).toEqual(["Terima", "Send"]);
  expect(find("textarea").getAttribute("aria-label")).toBe("Jawaban");
});

test("a tool-call part tells the same as the view's note", () => {
  const args = { input: "in_1", run: "r_1", prompt: "Is it good?", output: "A draft", expires: null };
  const part = { toolName: "crew_question", args };
  expect(questionOf(part)).toMatchObject(asked);
  expect(questionOf({ ...part, result: "Shorter", isError: false })).toMatchObject({
    state: "answered",
    text: "Shorter",
  });
  expect(questionOf({ ...part, result: "expired", isError: true })).toMatchObject({ state: "expired", text: null });
});
