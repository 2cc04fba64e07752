"use client";

import { AuiIf, MessagePrimitive, ThreadPrimitive, useAui } from "@assistant-ui/react";
import { Announcer } from "./Announcer";
import { AssistantMessage } from "./AssistantMessage";
import { Bar } from "./Bar";
import { Composer } from "./Composer";
import { runs } from "./crew";
import { ArrowDown } from "./icons";
import { useCrew, whoWorks } from "./useCrew";

const BRIEFS = [
  "A launch plan for a small coffee roaster in Lisbon",
  "What people really feel about the four-day week",
  "Three post ideas for a neighbourhood repair café",
];

export function Thread() {
  return (
    <ThreadPrimitive.Root className="thread">
      <Bar>
        <AuiIf condition={({ thread }) => !thread.isEmpty && !thread.isRunning}>
          <NewConversation />
        </AuiIf>
      </Bar>
      <h1 className="sr-only">Chat</h1>

      <ThreadPrimitive.Viewport className="viewport">
        <AuiIf condition={({ thread }) => thread.isEmpty}>
          <section className="welcome">
            <h2>What should the crew work on?</h2>
            <Who />
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
        <main className="messages">
          <ThreadPrimitive.Messages components={{ UserMessage, AssistantMessage }} />
        </main>
        <ThreadPrimitive.ViewportFooter className="foot">
          <ThreadPrimitive.ScrollToBottom className="to-bottom" aria-label="Scroll to the end">
            <ArrowDown />
          </ThreadPrimitive.ScrollToBottom>
          <Composer />
        </ThreadPrimitive.ViewportFooter>
      </ThreadPrimitive.Viewport>
      <Announcer />
    </ThreadPrimitive.Root>
  );
}

const Who = () => <p>{whoWorks(useCrew())}</p>;

function NewConversation() {
  const aui = useAui();
  const begin = () => {
    runs.clear();
    aui.threads.switchToNewThread();
  };
  return (
    <button type="button" className="new" onClick={begin}>
      New conversation
    </button>
  );
}

function UserMessage() {
  return (
    <MessagePrimitive.Root className="user">
      <MessagePrimitive.Parts />
    </MessagePrimitive.Root>
  );
}
