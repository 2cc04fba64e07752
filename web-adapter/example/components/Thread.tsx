"use client";

import { AuiIf, ComposerPrimitive, MessagePrimitive, ThreadPrimitive } from "@assistant-ui/react";
import { Announcer } from "./Announcer";
import { AssistantMessage } from "./AssistantMessage";
import { Connection } from "./Connection";
import { ArrowDown, ArrowUp, Square } from "./icons";

const BRIEFS = [
  "A launch plan for a small coffee roaster in Lisbon",
  "What people really feel about the four-day week",
  "Three post ideas for a neighbourhood repair café",
];

export function Thread() {
  return (
    <ThreadPrimitive.Root className="thread">
      <header className="bar">
        <h1 className="wordmark">Crew</h1>
        <Connection />
      </header>

      <ThreadPrimitive.Viewport className="viewport">
        <AuiIf condition={({ thread }) => thread.isEmpty}>
          <section className="welcome">
            <h2>What should the crew work on?</h2>
            <p>A planner, a sentiment analyst and a trend researcher take it from there.</p>
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

function UserMessage() {
  return (
    <MessagePrimitive.Root className="user">
      <MessagePrimitive.Parts />
    </MessagePrimitive.Root>
  );
}

function Composer() {
  return (
    <ComposerPrimitive.Root className="composer">
      <ComposerPrimitive.Input
        className="composer-input"
        placeholder="Write a brief"
        aria-label="Brief"
        rows={1}
        maxRows={8}
        autoFocus
      />
      <AuiIf condition={({ thread }) => !thread.isRunning}>
        <ComposerPrimitive.Send className="round" aria-label="Send">
          <ArrowUp />
        </ComposerPrimitive.Send>
      </AuiIf>
      <AuiIf condition={({ thread }) => thread.isRunning}>
        <ComposerPrimitive.Cancel className="round" aria-label="Stop">
          <Square />
        </ComposerPrimitive.Cancel>
      </AuiIf>
    </ComposerPrimitive.Root>
  );
}
