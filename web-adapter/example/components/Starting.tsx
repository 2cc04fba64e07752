"use client";

import { useAui } from "@assistant-ui/react";
import { focusComposer } from "./composer-focus";
import { crew } from "./crew";
import { useReview } from "./review";
import { useAway } from "./useAway";
import { useCrew } from "./useCrew";

/** What stands above the box while no run is live: what a brief follows, and how it is begun. */
export function Starting({ following }: { readonly following: boolean }) {
  const { error, retry } = useAway();
  return (
    <>
      <p className="starting" role="status">
        {error ? (
          <Away retry={retry} />
        ) : (
          following && (
            <>
              Follow-up: the crew sees what came before. <Anew />
            </>
          )
        )}
      </p>
      <ReviewToggle />
    </>
  );
}

function Away({ retry }: { readonly retry: () => void }) {
  return (
    <>
      <span className="starting-away">The sidecar isn’t running</span>
      {crew.url && ` at ${crew.url}`}.{" "}
      <button type="button" className="link" onClick={retry}>
        Try again
      </button>
    </>
  );
}

/** A brief that follows nothing is a conversation of its own; what was typed goes along. */
function Anew() {
  const aui = useAui();
  const begin = () => {
    const { text } = aui.composer.getState();
    aui.threads.switchToNewThread();
    setTimeout(() => {
      aui.composer.setText(text);
      focusComposer();
    });
  };
  return (
    <button type="button" className="link" title="A new brief, in a conversation of its own" onClick={begin}>
      Start without it
    </button>
  );
}

function ReviewToggle() {
  const [review, setReview] = useReview();
  const facts = useCrew();
  if (!facts?.tasks.length) return null;
  return (
    <label className="toggle" title="After the first task the crew shows its work and waits for your word">
      <input type="checkbox" checked={review} onChange={(event) => setReview(event.target.checked)} />
      Ask me before moving on
    </label>
  );
}
