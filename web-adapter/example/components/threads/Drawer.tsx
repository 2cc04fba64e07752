"use client";

import { useAui } from "@assistant-ui/react";
import { useEffect, useRef, useState } from "react";
import { focusComposer } from "../composer-focus";
import { Menu } from "../icons";
import { useKey } from "../keyboard";
import { Conversations } from "./Conversations";

/** The conversations where there is no room beside the chat: behind a button, over the page. */
export function Drawer() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState<"list" | "search">();
  const aui = useAui();
  // Once its content is there: the first of it gets the focus, which on a phone brings up no keyboard.
  useEffect(() => {
    if (!open) return;
    dialog.current?.showModal();
    if (open === "search") boxIn(dialog.current)?.focus();
  }, [open]);
  const search = () => {
    const beside = boxIn(document.querySelector(".side"));
    if (!beside?.offsetParent) return setOpen("search");
    beside.focus();
    beside.select();
  };
  useKey({ key: "mod+k", label: "Search conversations", act: search });
  useKey({
    key: "mod+shift+o",
    label: "New conversation",
    act: () => {
      aui.threads.switchToNewThread();
      focusComposer();
    },
  });
  const close = () => dialog.current?.close();
  return (
    <>
      <button
        type="button"
        className="drawer-button"
        aria-label="Conversations"
        aria-haspopup="dialog"
        onClick={() => setOpen("list")}
      >
        <Menu />
      </button>
      <dialog
        ref={dialog}
        className="drawer"
        aria-label="Conversations"
        closedby="any"
        onClose={() => setOpen(undefined)}
      >
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

const boxIn = (place: Element | null) => place?.querySelector<HTMLInputElement>(".conversation-search input") ?? null;
