"use client";

import type { RunView } from "crew-web-adapter";
import Link from "next/link";
import { useEffect, useState } from "react";
import { addressOfRun } from "../address";
import { crew } from "../crew";
import { briefOf } from "../runs/brief";

/** Which run this one is a fork of, and where it began. */
export function Forked({ from: { run, task } }: { readonly from: NonNullable<RunView["forked"]> }) {
  const [brief, setBrief] = useState("another run");
  useEffect(() => {
    const unmount = new AbortController();
    // It may be gone: what it is called is then not known, and the link says so itself.
    crew.get(run, unmount).then(
      (snapshot) => setBrief(briefOf(snapshot)),
      () => undefined,
    );
    return () => unmount.abort();
  }, [run]);
  return (
    <p className="forked" data-testid="forked">
      Forked from{" "}
      <Link href={addressOfRun(run)} dir="auto">
        {brief}
      </Link>{" "}
      at {task.replaceAll("_", " ")}
    </p>
  );
}
