"use client";

import { ThreadListPrimitive } from "@assistant-ui/react";
import { useThreads } from "crew-web-adapter/react";
import { useMemo } from "react";
import { crew } from "../crew";
import { Row, States } from "./Row";

/** All conversations that the sidecar keeps, the one last at work first. `onChosen`: one is shown now. */
export function Conversations({ onChosen }: { readonly onChosen?: () => void }) {
  const { threads } = useThreads(crew);
  const states = useMemo(() => new Map(threads.map(({ thread, state }) => [thread, state])), [threads]);
  return (
    <States value={states}>
      <ThreadListPrimitive.Root className="conversations">
        <nav aria-label="Conversations">
          <ThreadListPrimitive.New className="new" onClick={onChosen}>
            New conversation
          </ThreadListPrimitive.New>
          {/* A click on what is in it: the rows' own buttons say what they do. */}
          <ul className="conversation-list">
            <ThreadListPrimitive.Items>{() => <Row {...(onChosen && { onChosen })} />}</ThreadListPrimitive.Items>
          </ul>
        </nav>
      </ThreadListPrimitive.Root>
    </States>
  );
}
