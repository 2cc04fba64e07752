"use client";

import { useCallback, useState, type ReactNode } from "react";

interface ScrollableProps {
  readonly as: "div" | "pre";
  readonly className?: string;
  readonly name: string;
  readonly children: ReactNode;
}

/** What scrolls by itself when it is too wide: only then with a stop for the keyboard, which can't scroll it else. */
export function Scrollable({ as: Element, className, name, children }: ScrollableProps) {
  const [scrolls, setScrolls] = useState(false);
  const watch = useCallback((element: HTMLElement | null) => {
    // Outside of a browser nothing has a size.
    if (!element || typeof ResizeObserver === "undefined") return;
    const look = () =>
      setScrolls(element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight);
    const sizes = new ResizeObserver(look);
    sizes.observe(element);
    const words = new MutationObserver(look);
    words.observe(element, { childList: true, subtree: true, characterData: true });
    return () => {
      sizes.disconnect();
      words.disconnect();
    };
  }, []);
  return (
    <Element ref={watch} className={className} {...(scrolls && { role: "group", "aria-label": name, tabIndex: 0 })}>
      {children}
    </Element>
  );
}
