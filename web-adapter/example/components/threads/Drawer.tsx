"use client";

import { useEffect, useRef, useState } from "react";
import { Menu } from "../icons";
import { Conversations } from "./Conversations";

/** The conversations where there is no room beside the chat: behind a button, over the page. */
export function Drawer() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  // Once its content is there: the first of it gets the focus.
  useEffect(() => {
    if (open) dialog.current?.showModal();
  }, [open]);
  const close = () => dialog.current?.close();
  return (
    <>
      <button
        type="button"
        className="drawer-button"
        aria-label="Conversations"
        aria-haspopup="dialog"
        onClick={() => setOpen(true)}
      >
        <Menu />
      </button>
      <dialog ref={dialog} className="drawer" aria-label="Conversations" closedby="any" onClose={() => setOpen(false)}>
        {open && (
          <>
            <Conversations onChosen={close} />
            <button type="button" className="link drawer-close" onClick={close}>
              Close
            </button>
          </>
        )}
      </dialog>
    </>
  );
}
