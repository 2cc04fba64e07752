"use client";

import { ComposerPrimitive, MessagePrimitive, useAui, useAuiState } from "@assistant-ui/react";
import { useEffect, useRef } from "react";
import { focusComposer } from "../composer-focus";
import { EDIT } from "../edit-last";
import { Pencil } from "../icons";
import { Branches } from "./Branches";
import { CopyAction } from "./CopyAction";

/** The message whose edit was given up: its button gets the focus back. */
let left: string | undefined;

/** What was asked or, while a run was live, said to it. */
export function UserMessage() {
  const aui = useAui();
  const id = useAuiState(({ message }) => message.id);
  // What was said on the way was heard: there is nothing to be asked anew.
  const said = useAuiState(({ thread, message }) => thread.messages[message.index - 1]?.role === "user");
  const edit = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (left === id) edit.current?.focus({ preventScroll: true });
    left = undefined;
  }, [id]);
  const text = () => aui.message.getCopyText();
  return (
    <MessagePrimitive.Root className="user-message" role="article" aria-label={said ? "You, on the way" : "You"}>
      <div className="user" dir="auto">
        <MessagePrimitive.Parts />
      </div>
      <div className="acts" role="group" aria-label="What to do with this brief">
        <CopyAction label="Copy the brief" text={text} />
        {!said && (
          <button
            ref={edit}
            type="button"
            className={`act ${EDIT}`}
            aria-label="Edit the brief"
            title="Edit the brief: the crew answers it anew, and this version stays"
            onClick={() => aui.composer.beginEdit()}
          >
            <Pencil />
          </button>
        )}
        <Branches of="brief" />
      </div>
    </MessagePrimitive.Root>
  );
}

/** The same while it is edited. */
export function EditBox() {
  const aui = useAui();
  const id = useAuiState(({ message }) => message.id);
  const live = useAuiState(({ thread }) => thread.isRunning);
  const leave = () => {
    left = id;
    aui.composer.cancel();
  };
  return (
    <MessagePrimitive.Root className="user-message" role="article" aria-label="You, being edited">
      <ComposerPrimitive.Root
        className="edit"
        // With what has the focus it is gone then.
        onSubmit={() => aui.composer.getState().canSend && setTimeout(focusComposer)}
      >
        <ComposerPrimitive.Input
          className="edit-input"
          aria-label="Brief, edited"
          dir="auto"
          maxRows={12}
          cancelOnEscape={false}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return;
            // Here it is not for what else Escape does on the page.
            event.preventDefault();
            event.stopPropagation();
            leave();
          }}
          // Somebody asked for it this moment.
          // oxlint-disable-next-line jsx-a11y/no-autofocus
          autoFocus
        />
        <div className="edit-buttons">
          <p className="hint">{live ? "Stops what the crew is at now." : "The version before stays."}</p>
          <button type="button" className="pill" onClick={leave}>
            Cancel
          </button>
          <ComposerPrimitive.Send className="pill" data-primary>
            {live ? "Stop and run" : "Save and run"}
          </ComposerPrimitive.Send>
        </div>
      </ComposerPrimitive.Root>
    </MessagePrimitive.Root>
  );
}
