"use client";

import { ThreadListItemPrimitive, useAui, useAuiState } from "@assistant-ui/react";
import { isFinal, type RunState } from "crew-web-adapter";
import { useContext, useRef, useState, type FormEvent, type KeyboardEvent, type RefObject } from "react";
import { Bin, Pencil } from "../icons";
import { STATES } from "../phase";
import { Refusal } from "../Refusal";
import { useCommand } from "../useCommand";
import { Chosen } from "./chosen";

/** One conversation: opened, renamed and deleted by pointer or keyboard. */
export function Row() {
  const aui = useAui();
  const onChosen = useContext(Chosen);
  const place = useRef<HTMLLIElement>(null);
  const id = useAuiState(({ threadListItem }) => threadListItem.id);
  const title = useAuiState(({ threadListItem }) => threadListItem.title) ?? "New conversation";
  const shown = useAuiState(({ threads }) => threads.mainThreadId === id);
  // What it is at, as `useCrewRuntime` tells it.
  const state = useAuiState(({ threadListItem }) => threadListItem.custom?.["state"] as RunState | undefined);
  const live = state !== undefined && !isFinal(state);
  const [mode, setMode] = useState<"open" | "rename" | "delete">("open");
  const { busy, refusal, give } = useCommand(id);
  /** What had the focus is gone then. */
  const leave = () => {
    setMode("open");
    focusRow(place);
  };
  const act = async (command: () => Promise<unknown>) => {
    if (await give(command)) leave();
  };
  const rename = (to: string) => void act(async () => aui.threadListItem.rename(to));
  const remove = () => {
    const nav = place.current?.closest("nav");
    const next = place.current?.nextElementSibling ?? place.current?.previousElementSibling;
    const beside = next?.querySelector<HTMLElement>(".conversation-open") ?? nav?.querySelector<HTMLElement>(".new");
    void give(async () => aui.threadListItem.delete()).then((gone) => gone && beside?.focus());
  };
  // A new one, which is none before something was said in it.
  if (state === undefined) return null;
  return (
    <li
      ref={place}
      className="conversation"
      data-shown={shown || undefined}
      data-state={state}
      data-testid="conversation"
    >
      {mode === "open" && (
        <>
          <ThreadListItemPrimitive.Trigger
            className="conversation-open"
            aria-current={shown ? "true" : undefined}
            onClick={onChosen}
          >
            <span className="conversation-title" dir="auto">
              {title}
            </span>
            {live && (
              <span className="conversation-live">
                <i aria-hidden />
                <span className={state === "waiting" ? undefined : "sr-only"}>{STATES[state]}</span>
              </span>
            )}
          </ThreadListItemPrimitive.Trigger>
          <button
            type="button"
            className="conversation-act"
            aria-label={`Rename ${title}`}
            title="Rename"
            onClick={() => setMode("rename")}
          >
            <Pencil />
          </button>
          <button
            type="button"
            className="conversation-act"
            aria-label={`Delete ${title}`}
            title={live ? "Stop it first" : "Delete"}
            aria-disabled={live}
            onClick={() => live || setMode("delete")}
          >
            <Bin />
          </button>
        </>
      )}
      {mode === "rename" && <Rename title={title} busy={busy} onRename={rename} onLeave={leave} />}
      {mode === "delete" && (
        <div className="conversation-sure" role="group" aria-label={`Delete ${title}?`}>
          <span>Delete it?</span>
          {/* Where the focus was is gone, and it is one press from there. */}
          {/* oxlint-disable-next-line jsx-a11y/no-autofocus */}
          <button type="button" className="link" autoFocus aria-disabled={busy} onClick={() => busy || remove()}>
            Delete
          </button>
          <button type="button" className="link" onClick={leave}>
            Keep
          </button>
        </div>
      )}
      {refusal && <Refusal error={refusal} />}
    </li>
  );
}

const focusRow = (place: RefObject<HTMLElement | null>) =>
  setTimeout(() => place.current?.querySelector<HTMLElement>(".conversation-open")?.focus());

interface RenameProps {
  readonly title: string;
  readonly busy: boolean;
  readonly onRename: (title: string) => void;
  readonly onLeave: () => void;
}

function Rename({ title, busy, onRename, onLeave }: RenameProps) {
  const box = useRef<HTMLInputElement>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const to = box.current?.value.trim();
    if (!to || to === title) onLeave();
    else if (!busy) onRename(to);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    // It would close the drawer as well.
    event.preventDefault();
    onLeave();
  };
  return (
    <form className="conversation-rename" onSubmit={submit}>
      <input
        ref={box}
        aria-label="Title"
        defaultValue={title}
        maxLength={200}
        dir="auto"
        onKeyDown={onKeyDown}
        // Somebody asked for it this moment.
        // oxlint-disable-next-line jsx-a11y/no-autofocus
        autoFocus
        onFocus={(event) => event.currentTarget.select()}
      />
      <button type="submit" className="link" aria-disabled={busy}>
        Save
      </button>
    </form>
  );
}
