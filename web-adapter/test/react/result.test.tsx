// @vitest-environment jsdom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Result } from "../../example/components/Outcome.tsx";
import { asProse } from "../../example/components/structure.ts";

vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);

let root: Root;
let place: HTMLElement;

beforeEach(() => {
  place = document.createElement("div");
  root = createRoot(place);
});
afterEach(() => act(async () => root.unmount()));

const show = (output: string | null, ...json: readonly unknown[]) =>
  act(async () =>
    root.render(
      <Result
        text={asProse(output ?? "")}
        state="whole"
        ended
        output={output}
        {...(json.length > 0 && { json: json[0] })}
      />,
    ),
  );
const answer = () => place.querySelector("[data-testid=answer]");
const structured = () => place.querySelector<HTMLDetailsElement>("[data-testid=structured]");

describe("a structure beside the answer", () => {
  test("is folded under it, and laid out once somebody looks", async () => {
    await show("A title: Tea", { title: "Tea", pages: [1] });
    expect(answer()!.textContent).toBe("A title: Tea");
    expect(structured()!.open).toBe(false);
    expect(structured()!.querySelector("pre")).toBeNull();
    await act(async () => {
      structured()!.open = true;
      structured()!.dispatchEvent(new Event("toggle"));
    });
    expect(structured()!.querySelector("pre")!.textContent).toBe('{\n  "title": "Tea",\n  "pages": [\n    1\n  ]\n}');
  });

  test.each([
    ["as it is written", '{"title":"Tea","pages":{"b":1,"a":[2]}}'],
    ["in another order and layout", '{\n  "pages": {"a": [2], "b": 1},\n  "title": "Tea"\n}'],
    ["in a fence", '```json\n{"title": "Tea", "pages": {"b": 1, "a": [2]}}\n```'],
  ])("is not repeated where the text says the same, %s", async (_, text) => {
    await show(text, { title: "Tea", pages: { b: 1, a: [2] } });
    expect(structured()).toBeNull();
    expect(JSON.parse(answer()!.querySelector("pre")!.textContent)).toEqual({ title: "Tea", pages: { b: 1, a: [2] } });
  });

  test.each([
    ["more of it", { title: "Tea", by: "Ann" }],
    ["a list in another order", ["b", "a"]],
    ["text only", "Tea"],
  ])("is there where the text says something else: %s", async (_, json) => {
    await show(Array.isArray(json) ? '["a", "b"]' : '{"title": "Tea"}', json);
    expect(structured()).not.toBeNull();
  });
});

test("a text that is JSON is laid out as that, since Markdown would eat its marks, and any other stays prose", async () => {
  await show('{"_a_": "*b* `c`\\n```"}');
  expect(answer()!.querySelector("pre")!.textContent).toBe('{\n  "_a_": "*b* `c`\\n```"\n}');
  await show("[offline model] Some *words*");
  expect(answer()!.querySelector("pre")).toBeNull();
  expect(answer()!.textContent).toBe("[offline model] Some words");
});

test.each([null, "", " \n"])("a crew that gave no text says so: %j", async (output) => {
  await show(output);
  expect(answer()).toBeNull();
  expect(place.textContent).toBe("The crew gave no text.");
});
