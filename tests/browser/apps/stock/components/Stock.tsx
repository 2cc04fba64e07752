"use client";

import {
  ComposerPrimitive,
  MessagePrimitive,
  ThreadListItemPrimitive,
  ThreadListPrimitive,
  ThreadPrimitive,
  type ReasoningMessagePartProps,
  type ToolCallMessagePartProps,
} from "@assistant-ui/react";

/** What assistant-ui has for anybody: nothing in here knows of crews but the name of a tool. */
export function Stock() {
  return (
    <>
      <ThreadListPrimitive.Root>
        <ThreadListPrimitive.New>New</ThreadListPrimitive.New>
        <ThreadListPrimitive.Items components={{ ThreadListItem }} />
      </ThreadListPrimitive.Root>
      <ThreadPrimitive.Root>
        <ThreadPrimitive.Viewport>
          <ThreadPrimitive.Messages components={{ UserMessage, AssistantMessage }} />
          <ComposerPrimitive.Root>
            <ComposerPrimitive.Input aria-label="Brief" />
            <ComposerPrimitive.Send>Send</ComposerPrimitive.Send>
          </ComposerPrimitive.Root>
        </ThreadPrimitive.Viewport>
      </ThreadPrimitive.Root>
    </>
  );
}

const ThreadListItem = () => (
  <ThreadListItemPrimitive.Root data-testid="thread">
    <ThreadListItemPrimitive.Trigger>
      <ThreadListItemPrimitive.Title fallback="Untitled" />
    </ThreadListItemPrimitive.Trigger>
    <ThreadListItemPrimitive.Delete>Delete</ThreadListItemPrimitive.Delete>
  </ThreadListItemPrimitive.Root>
);

const Reasoning = ({ text }: ReasoningMessagePartProps) => <pre data-testid="reasoning">{text}</pre>;

const Question = ({ args, result, addResult }: ToolCallMessagePartProps) =>
  result === undefined ? (
    <button onClick={() => addResult("Shorter, please")}>Answer</button>
  ) : (
    <p data-testid="answered">{`${String(args.prompt)} ${String(result)}`}</p>
  );

const UserMessage = () => (
  <MessagePrimitive.Root data-testid="brief">
    <MessagePrimitive.Parts />
  </MessagePrimitive.Root>
);

const AssistantMessage = () => (
  <MessagePrimitive.Root data-testid="reply">
    <MessagePrimitive.Parts components={{ Reasoning, tools: { by_name: { crew_question: Question } } }} />
  </MessagePrimitive.Root>
);
