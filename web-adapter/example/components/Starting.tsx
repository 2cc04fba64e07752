"use client";

import { useAui } from "@assistant-ui/react";
import { focusComposer } from "./composer-focus";
import { sidecar } from "./crew";
import { StartOptions } from "./StartOptions";
import { useAway } from "./useAway";

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
      <StartOptions />
    </>
  );
}

function Away({ retry }: { readonly retry: () => void }) {
  return (
    <>
      <span className="starting-away">The sidecar isn’t running</span>: nothing answers at {sidecar.address()}. Start it
      with <code>{sidecar.start}</code>.{" "}
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
    aui.composer.setText("");
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
