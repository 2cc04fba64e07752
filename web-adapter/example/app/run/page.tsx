import type { Metadata } from "next";
import { Suspense } from "react";
import { RunInAddress } from "../../components/run/RunInAddress";

export const metadata: Metadata = { title: "Run · Crew" };

export default function Page() {
  return (
    // Which run it is, only the browser knows: the HTML is one file for all of them.
    <Suspense>
      <RunInAddress />
    </Suspense>
  );
}
