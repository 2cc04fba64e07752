"use client";

import { AuiIf, ThreadPrimitive, useAuiState } from "@assistant-ui/react";
import type { ReactNode } from "react";
import { useThreadInAddress } from "../address";
import { Announcer } from "../Announcer";
import { AssistantMessage } from "./AssistantMessage";
import { EditBox, UserMessage } from "./UserMessage";
import { Bar } from "../Bar";
import { Composer } from "../Composer";
import { MAIN } from "../composer-focus";
import { useDrafts } from "../drafts";
import { ArrowDown } from "../icons";
import { Problem } from "../Outcome";
import { useStart, whoWorks } from "../start";

const BRIEFS = [
  "A launch plan for a small coffee roaster in Lisbon",
  "What people really feel about the four-day week",
  "Three post ideas for a neighbourhood repair café",
];

/** `menu`: what leads to the other conversations. */
export function Thread({ menu }: { readonly menu: ReactNode }) {
  useDrafts();
  return (
    <ThreadPrimitive.Root className="thread">
      <Bar>{menu}</Bar>
      <main id={MAIN} className="conversation-shown" tabIndex={-1}>
        <h1 className="sr-only">Chat</h1>
        <ThreadPrimitive.Viewport className="viewport" {...useOpening()}>
          <AuiIf condition={({ thread }) => thread.isEmpty}>
            <section className="welcome">
              <h2>What should the crew work on?</h2>
              <Who />
              <Gone />
              <ul className="briefs">
                {BRIEFS.map((brief) => (
                  <li key={brief}>
                    <ThreadPrimitive.Suggestion className="brief" prompt={brief} send>
                      {brief}
                    </ThreadPrimitive.Suggestion>
                  </li>
                ))}
              </ul>
            </section>
          </AuiIf>
          <div className="messages">
            <ThreadPrimitive.Messages components={{ UserMessage, UserEditComposer: EditBox, AssistantMessage }} />
          </div>
          <ThreadPrimitive.ViewportFooter className="foot">
            <ThreadPrimitive.ScrollToBottom className="to-bottom" aria-label="Scroll to the end">
              <ArrowDown />
            </ThreadPrimitive.ScrollToBottom>
            <Composer />
          </ThreadPrimitive.ViewportFooter>
        </ThreadPrimitive.Viewport>
      </main>
      <Announcer />
    </ThreadPrimitive.Root>
  );
}

/** A conversation is read from its end, and an empty page, which may not fit, from its top. */
function useOpening() {
  const empty = useAuiState(({ thread }) => thread.messages.length === 0);
  return { autoScroll: !empty, scrollToBottomOnThreadSwitch: !empty };
}

/** Of a conversation that the address names and nobody knows. */
function Gone() {
  const named = useThreadInAddress() !== undefined;
  const loading = useAuiState(({ thread }) => thread.isLoading);
  return named && !loading ? (
    <Problem title="Earlier runs are gone">
      The sidecar keeps the newest ones only, or its data folder was emptied.
    </Problem>
  ) : null;
}

const Who = () => <p>{whoWorks(useStart().crew)}</p>;
