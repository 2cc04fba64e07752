// @vitest-environment jsdom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { takeSingleKeys, useKey, useKeys, type Key } from "../../example/components/keyboard.ts";
import { setStill } from "../../example/components/still.ts";
import { useNow } from "../../example/components/useNow.ts";

vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);

let root: Root;
let place: HTMLElement;

beforeEach(() => {
  localStorage.clear();
  place = document.body.appendChild(document.createElement("div"));
  root = createRoot(place);
});
afterEach(async () => {
  await act(async () => root.unmount());
  place.remove();
});

function Keyed({ of }: { readonly of: Key }) {
  useKey(of);
  return null;
}

const Listed = () =>
  useKeys()
    .map(({ key, label }) => `${key}: ${label}`)
    .join("; ");

/** Whether the page takes what is pressed at `target`. */
function press(target: EventTarget, key: string, more: KeyboardEventInit = {}): boolean {
  return !target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
}

const show = (...keys: readonly Key[]) =>
  act(async () =>
    root.render(
      <>
        {keys.map((key) => (
          <Keyed key={key.key + key.label} of={key} />
        ))}
        <textarea id="composer" defaultValue="" />
        <input id="elsewhere" />
        <button type="button" id="button">
          Press
        </button>
        <p id="list">
          <Listed />
        </p>
      </>,
    ),
  );
const at = (id: string) => document.getElementById(id)!;

test("a key of one character counts where nobody types, and not at all where that is not wanted", async () => {
  const act = vi.fn();
  await show({ key: "/", label: "Write", act });
  expect(press(at("button"), "/")).toBe(true);
  expect(press(at("composer"), "/")).toBe(false);
  expect(press(at("elsewhere"), "/")).toBe(false);
  expect(press(at("button"), "/", { isComposing: true })).toBe(false);
  expect(press(at("button"), "/", { altKey: true })).toBe(false);
  takeSingleKeys(false);
  expect(press(at("button"), "/")).toBe(false);
  expect(act).toHaveBeenCalledTimes(1);
});

test("a key with ⌘ or Ctrl counts anywhere, and one that the page has taken counts no more", async () => {
  const act = vi.fn();
  await show({ key: "mod+k", label: "Search", act }, { key: "mod+shift+o", label: "New", act });
  expect(press(at("composer"), "k", { metaKey: true })).toBe(true);
  expect(press(at("button"), "k", { ctrlKey: true })).toBe(true);
  expect(press(at("button"), "O", { ctrlKey: true, shiftKey: true })).toBe(true);
  expect(press(at("button"), "k")).toBe(false);
  expect(act).toHaveBeenCalledTimes(3);
  at("button").addEventListener("keydown", (event) => event.preventDefault());
  press(at("button"), "k", { ctrlKey: true });
  expect(act).toHaveBeenCalledTimes(3);
});

test("a key of the empty composer's moves the cursor as soon as something stands in it", async () => {
  await show({ key: "ArrowUp", label: "Edit", act: () => {}, where: "empty composer" });
  const box = at("composer") as HTMLTextAreaElement;
  expect(press(box, "ArrowUp")).toBe(true);
  expect(press(at("elsewhere"), "ArrowUp")).toBe(false);
  box.value = "words";
  expect(press(box, "ArrowUp")).toBe(false);
});

test("the newest of two with the same key is asked, both are one line of the list, and who goes takes it along", async () => {
  const [first, second] = [vi.fn(), vi.fn()];
  const one: Key = { key: "/", label: "First", act: first };
  await show(one, { key: "/", label: "Second", act: second });
  press(at("button"), "/");
  expect([first.mock.calls.length, second.mock.calls.length]).toEqual([0, 1]);
  expect(at("list").textContent).toMatch(/\/: Second$/);
  await show(one);
  press(at("button"), "/");
  expect(first).toHaveBeenCalledTimes(1);
  await show();
  expect(press(at("button"), "/")).toBe(false);
  expect(at("list").textContent).not.toContain("/:");
});

test("clocks stand while the connection is lost, but for one that tells of that, and go on when it is back", async () => {
  vi.useFakeTimers({ now: 5_500 });
  try {
    const Clock = ({ always = false }) => useNow(1_000, always);
    const tick = (ms: number) => act(async () => void vi.advanceTimersByTime(ms));
    const shown = () => place.textContent;
    await act(async () =>
      root.render(
        <>
          <Clock /> <Clock always />
        </>,
      ),
    );
    expect(shown()).toBe("5000 5000");
    await act(async () => setStill(true));
    expect(document.documentElement.hasAttribute("data-still")).toBe(true);
    await tick(3_000);
    expect(shown()).toBe("5000 8000");
    await act(async () => setStill(false));
    expect(document.documentElement.hasAttribute("data-still")).toBe(false);
    expect(shown()).toBe("8000 8000");
  } finally {
    vi.useRealTimers();
  }
});
