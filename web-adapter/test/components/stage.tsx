import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, vi } from "vitest";

vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);

let root: Root;
/** Where the components are shown, in the document: only there anything has the focus. */
export let place: HTMLElement;

beforeEach(() => {
  place = document.body.appendChild(document.createElement("div"));
  root = createRoot(place);
});
afterEach(async () => {
  await act(async () => root.unmount());
  place.remove();
});

export const show = (node: ReactNode) => act(async () => root.render(node));
export const onServer = (node: ReactNode) => renderToString(node);

export const find = (selector: string): HTMLElement => {
  const found = place.querySelector<HTMLElement>(selector);
  if (!found) throw new Error(`no ${selector} in ${place.innerHTML}`);
  return found;
};
export const texts = (selector: string) => [...place.querySelectorAll(selector)].map(({ textContent }) => textContent);

export const button = (name: string): HTMLButtonElement => {
  const found = [...place.querySelectorAll("button")].find(({ textContent }) => textContent === name);
  if (!found) throw new Error(`no button ${name} in ${place.innerHTML}`);
  return found;
};
export const press = (name: string) =>
  act(async () => {
    button(name).focus();
    button(name).click();
  });

/** As somebody types it: React hears the event, not the value. */
export const type = (text: string) =>
  act(async () => {
    const box = find("textarea") as HTMLTextAreaElement;
    box.focus();
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")!.set!.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  });
export const key = (name: string, more: KeyboardEventInit = {}) =>
  act(async () => {
    document.activeElement!.dispatchEvent(
      new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }),
    );
  });
