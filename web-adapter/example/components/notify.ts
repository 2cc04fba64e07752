import { useSyncExternalStore } from "react";

const KEY = "crew.notify";
const listeners = new Set<() => void>();

/** "unsupported": nothing can be shown here, for the browser can't or the reader has said no to it. */
export type Notifying = "unsupported" | "off" | "on";

function read(): Notifying {
  if (typeof Notification === "undefined" || Notification.permission === "denied") return "unsupported";
  try {
    return Notification.permission === "granted" && localStorage.getItem(KEY) === "yes" ? "on" : "off";
  } catch {
    return "off";
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useNotifying = (): Notifying => useSyncExternalStore(subscribe, read, () => "unsupported");

/** Because somebody pressed for it, and never otherwise: the browser asks whether it may. */
export async function setNotifying(on: boolean): Promise<void> {
  if (on) await Notification.requestPermission();
  try {
    localStorage.setItem(KEY, on ? "yes" : "no");
  } catch {
    // Then it stays off.
  }
  for (const listener of listeners) listener();
}

/** Outside of the page, if that is wanted; a click on it leads to the page. */
export function notify(title: string, body: string): void {
  if (read() !== "on") return;
  // One per tab: a newer one takes its place.
  const told = new Notification(title, { body, tag: location.href });
  told.addEventListener("click", () => {
    window.focus();
    told.close();
  });
}
