"use client";

import { useEffect, useRef, useState } from "react";
import { takeSingleKeys, takesSingleKeys, useKeys } from "./keyboard";

/** All keys that do something, and whether those of one character do. */
export function Keys({ onClose }: { readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const keys = useKeys();
  const [single, setSingle] = useState(takesSingleKeys);
  useEffect(() => dialog.current?.showModal(), []);
  const take = (on: boolean) => {
    takeSingleKeys(on);
    setSingle(on);
  };
  return (
    <dialog ref={dialog} className="keys" aria-labelledby="keys" closedby="any" onClose={onClose}>
      <h2 id="keys">Keyboard</h2>
      <dl>
        {keys.map(({ key, label }) => (
          <div key={key} className="keys-row">
            <dt>
              {partsOf(key).map((part) => (
                <kbd key={part}>{part}</kbd>
              ))}
            </dt>
            <dd>{label}</dd>
          </div>
        ))}
      </dl>
      <label className="toggle">
        <input type="checkbox" checked={single} onChange={({ target }) => take(target.checked)} />
        Keys of one character, like / and ?
      </label>
      <button type="button" className="pill" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}

const NAMES: Readonly<Record<string, string>> = { ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", shift: "Shift" };

/** A key as its keyboard has it. */
function partsOf(key: string): readonly string[] {
  const mac = navigator.platform.startsWith("Mac");
  return key.split("+").map((part) => {
    if (part === "mod") return mac ? "⌘" : "Ctrl";
    return NAMES[part] ?? (part.length === 1 ? part.toUpperCase() : part);
  });
}
