"use client";

import { ThreadListPrimitive } from "@assistant-ui/react";
import { Row } from "./Row";

/** All conversations that the sidecar keeps, the one last at work first. `onChosen`: one is shown now. */
export function Conversations({ onChosen }: { readonly onChosen?: () => void }) {
  return (
    <ThreadListPrimitive.Root className="conversations">
      <nav aria-label="Conversations">
        <ThreadListPrimitive.New className="new" onClick={onChosen}>
          New conversation
        </ThreadListPrimitive.New>
        <ul className="conversation-list">
          <ThreadListPrimitive.Items>{() => <Row {...(onChosen && { onChosen })} />}</ThreadListPrimitive.Items>
        </ul>
      </nav>
    </ThreadListPrimitive.Root>
  );
}
