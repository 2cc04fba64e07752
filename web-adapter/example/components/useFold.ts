"use client";

import type { RunView } from "crew-web-adapter";
import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";
import { choiceOf, choose, mayFold, needsReading } from "./folding";
import { scrollerOf } from "./scrolling";

interface Fold {
  readonly open: boolean;
  readonly toggle: () => void;
  readonly rail: RefObject<HTMLDivElement | null>;
  /** What stands below it, which stays where it is when the rail goes. */
  readonly below: RefObject<HTMLDivElement | null>;
}

/** How long what is below takes to its new place where the page can't scroll by as much, ms. */
const GLIDE = 260;

/**
 * The rail of a run's work: open while it works, one line from its end on, unless the reader wants it otherwise or
 * there is something in it that has to be read. With `folds` false it always is open. What is below stays in its place when the rail goes at the end.
 */
export function useFold(run: RunView, folds: boolean): Fold {
  const { run: id } = run;
  const done = folds && !needsReading(run);
  const [choice, setChoice] = useState(() => choiceOf(id));
  // One that was over when it came was never open; one that ends here stays so until it has been measured.
  const [folded, setFolded] = useState(done);
  const rail = useRef<HTMLDivElement>(null);
  const below = useRef<HTMLDivElement>(null);
  const was = useRef<number>(undefined);
  const open = !folds || (choice ?? !folded);

  useLayoutEffect(() => {
    const [above, rest] = [rail.current, below.current];
    if (!done || folded || choice !== undefined || !above || !rest) return;
    const scroller = scrollerOf(above);
    const view =
      scroller === document.scrollingElement ? { top: 0, bottom: innerHeight } : scroller.getBoundingClientRect();
    const at = rest.getBoundingClientRect().top;
    if (!mayFold({ rail: above.getBoundingClientRect(), below: at, window: view, held: isHeld(above) })) return;
    was.current = at;
    setFolded(true);
  }, [done, folded, choice]);

  useLayoutEffect(() => {
    const [rest, before] = [below.current, was.current];
    was.current = undefined;
    if (!folded || before === undefined || !rest) return;
    scrollerOf(rest).scrollTop += rest.getBoundingClientRect().top - before;
    const left = before - rest.getBoundingClientRect().top;
    if (Math.abs(left) > 1 && !matchMedia("(prefers-reduced-motion: reduce)").matches) glide(rest, left);
  }, [folded]);

  // The browser's own search opens it where it finds something, which an attribute without a value does not allow.
  useEffect(() => {
    const element = rail.current;
    if (open || !element) return;
    element.setAttribute("hidden", "until-found");
    const reveal = () => setChoice(true);
    element.addEventListener("beforematch", reveal);
    return () => element.removeEventListener("beforematch", reveal);
  }, [open]);

  const toggle = () => {
    choose(id, !open);
    setChoice(!open);
  };
  return { open, toggle, rail, below };
}

/** Whether the keyboard is in it, or words in it are marked. */
function isHeld(element: HTMLElement): boolean {
  const marked = getSelection();
  const isMarked = marked !== null && !marked.isCollapsed && element.contains(marked.anchorNode);
  return isMarked || element.contains(document.activeElement);
}

/** Moves it, and what is behind it in the message, from where it was to where it is. */
function glide(element: HTMLElement, from: number): void {
  const parts: Element[] = [element];
  for (let at = element.nextElementSibling; at; at = at.nextElementSibling) parts.push(at);
  const around = element.parentElement;
  for (let at = around?.nextElementSibling; at; at = at.nextElementSibling) parts.push(at);
  for (const part of parts)
    part.animate([{ transform: `translateY(${from}px)` }, { transform: "none" }], {
      duration: GLIDE,
      easing: "ease-out",
    });
}
