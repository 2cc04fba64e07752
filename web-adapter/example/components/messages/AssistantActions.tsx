"use client";

import { useAui, useAuiState } from "@assistant-ui/react";
import { isFinal, type RunView } from "crew-web-adapter";
import Link from "next/link";
import { addressOfRun } from "../address";
import { focusComposer } from "../composer-focus";
import { crew } from "../crew";
import { Again, Bars, Download, Package } from "../icons";
import { Branches } from "./Branches";
import { CopyAction } from "./CopyAction";
import { answerOf } from "./written";

/** What can be done with a reply as it stands: of one that is being written, nothing that would not be true in a moment. */
export function AssistantActions({ run, stopped }: { readonly run: RunView; readonly stopped: boolean }) {
  const aui = useAui();
  const live = useAuiState(({ thread }) => thread.isRunning);
  const brief = useAuiState(briefOf);
  const id = run.run;
  const over = isFinal(run.state);
  const again = over && !live && (stopped || run.state === "completed");
  return (
    <div className="acts" role="group" aria-label="What to do with this answer">
      <Branches of="answer" />
      {again && (
        <button
          type="button"
          className="act"
          data-worded={stopped || undefined}
          aria-label="Run again"
          title="Run again: the same brief, another version"
          onClick={() => {
            aui.message.reload();
            focusComposer();
          }}
        >
          <Again />
          {stopped && "Run again"}
        </button>
      )}
      {over && answerOf(run) && <CopyAction label="Copy the answer" text={() => answerOf(run)} />}
      {over && id && (
        <>
          <button
            type="button"
            className="act"
            aria-label="Download as Markdown"
            title="Download as Markdown"
            onClick={() => void download(run, brief)}
          >
            <Download />
          </button>
          <a
            className="act"
            href={`${crew.url}/runs/${id}/export`}
            download
            aria-label="Export as a page"
            title="Export as a page: one HTML file that shows how it went, without a server"
          >
            <Package />
          </a>
        </>
      )}
      {id && (
        <Link className="act" href={addressOfRun(id)} aria-label="Timeline" title="Timeline of this run">
          <Bars />
        </Link>
      )}
    </div>
  );
}

interface Around {
  readonly thread: { readonly messages: readonly Message[] };
  readonly message: { readonly index: number };
}

interface Message {
  readonly role: string;
  readonly content: readonly { readonly type: string; readonly text?: string }[];
}

/** What the run was asked: the first of the user's messages right above the reply. */
function briefOf({ thread: { messages }, message: { index } }: Around): string {
  const above = messages.slice(0, index);
  const brief = above[above.findLastIndex(({ role }) => role !== "user") + 1];
  return brief?.content.flatMap(({ text }) => text ?? []).join("\n") ?? "";
}

async function download(run: RunView, brief: string): Promise<void> {
  // Read when it is wanted, which is seldom.
  const { fileNameOf, transcriptOf } = await import("./transcript");
  const name = fileNameOf(brief);
  const text = transcriptOf(run, brief);
  const url = URL.createObjectURL(new Blob([text], { type: "text/markdown;charset=utf-8" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  // It has been handed to the browser by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
