"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { addressOf, RUNS, useThreadShown } from "./address";
import { Connection } from "./Connection";
import { crew } from "./crew";
import { Help } from "./Help";

/** The head of every page. `children`: what this page can do besides. */
export function Bar({ children }: { readonly children?: ReactNode }) {
  const here = usePathname();
  const thread = useThreadShown();
  return (
    <header className="bar">
      {children}
      <p className="wordmark">Crew</p>
      <nav className="nav" aria-label="Pages">
        <Link href={addressOf(thread)} aria-current={here === "/" ? "page" : undefined}>
          Chat
        </Link>
        {/* Whoever comes to chat is spared the code of the other pages. */}
        <Link href={RUNS} prefetch={false} aria-current={here === RUNS ? "page" : here === "/run/" || undefined}>
          Runs
        </Link>
        {/* The sidecar's own page. */}
        <a href={`${crew.url}/compare`}>Compare</a>
      </nav>
      <Connection />
      <Help />
    </header>
  );
}
