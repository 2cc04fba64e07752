"use client";

import { keepFocus } from "../composer-focus";
import { clock } from "../timeline/words";

interface PastProps {
  /** Ms since the run's beginning. */
  readonly after: number;
  readonly onLeave: () => void;
}

/** Says that what the page shows is over, and leads back. It lies over the page, which does not move for it. */
export function Past({ after, onLeave }: PastProps) {
  return (
    <div className="past" role="group" aria-label="The moment that is shown" ref={keepFocus}>
      <p>
        As it was at <strong>{clock(after)}</strong>
      </p>
      <button type="button" onClick={onLeave}>
        Back to now
      </button>
    </div>
  );
}
