"use client";

import dynamic from "next/dynamic";
import { useState } from "react";
import { Bell, Question } from "./icons";
import { useKey } from "./keyboard";
import { setNotifying, useNotifying } from "./notify";

/** Nobody needs it before it was asked for. */
const Keys = dynamic(() => import("./Keys").then(({ Keys }) => Keys));

/** What few need and nobody finds otherwise: the keys, and being told outside of the page. */
export function Help() {
  const [open, setOpen] = useState(false);
  const notifying = useNotifying();
  useKey({ key: "?", label: "This list", act: () => setOpen(true) });
  return (
    <span className="help">
      {notifying !== "unsupported" && (
        <button
          type="button"
          className="help-button"
          aria-label="Notify me"
          aria-pressed={notifying === "on"}
          title="Notify me when the crew asks or is done"
          onClick={() => void setNotifying(notifying === "off")}
        >
          <Bell />
        </button>
      )}
      <button
        type="button"
        className="help-button"
        aria-label="Keyboard"
        aria-haspopup="dialog"
        title="Keyboard (?)"
        onClick={() => setOpen(true)}
      >
        <Question />
      </button>
      {open && <Keys onClose={() => setOpen(false)} />}
    </span>
  );
}
