"use client";

import { lazy, Suspense } from "react";
import type { FailedProps } from "./Explained";
import { Problem } from "./Outcome";

interface InShortProps {
  readonly error: string;
}

const TITLE = "The crew couldn’t finish";

// A page on which nothing fails has no need of the words. Where they can't be had any more, what was said has to do.
const words = () => import("./Explained");
const Whole = lazy(() =>
  words().then(
    ({ Whole }) => ({ default: Whole }),
    () => ({
      default: ({ error, action }: FailedProps) => (
        <Problem title={TITLE} action={action}>
          {error.message}
        </Problem>
      ),
    }),
  ),
);
const Title = lazy(() =>
  words().then(
    ({ Title }) => ({ default: Title }),
    () => ({ default: ({ error }: InShortProps) => <>{error}</> }),
  ),
);

/** Why a run came to nothing, and what to do about it. */
export const Failed = (props: FailedProps) => (
  <Suspense fallback={null}>
    <Whole {...props} />
  </Suspense>
);

/** The same of a task in a line: the run says below what to do, and all that was said. */
export const InShort = (props: InShortProps) => (
  <Suspense fallback={TITLE}>
    <Title {...props} />
  </Suspense>
);
