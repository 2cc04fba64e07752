"use client";

import { usePathname } from "next/navigation";
import { MAIN } from "./composer-focus";

/** The first thing that Tab comes to: past the navigation. */
export function SkipLink() {
  const chat = usePathname() === "/";
  return (
    <a className="skip" href={`#${MAIN}`}>
      Skip to the {chat ? "conversation" : "content"}
    </a>
  );
}
