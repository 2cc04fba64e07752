/** Id of the one box of the page: the composer's, or that of the answer on a run's own page. */
export const COMPOSER = "composer";

/** Id of every page's `<main>`. */
export const MAIN = "main";

/**
 * Where the focus goes when what had it has done its work. On a touch screen not into the box, which
 * would bring up a keyboard that nobody asked for.
 */
export function focusComposer(): void {
  const box = matchMedia("(pointer: coarse)").matches ? null : document.getElementById(COMPOSER);
  (box ?? document.getElementById(MAIN))?.focus({ preventScroll: true });
}

/** The same for a focus that is at nothing; what has got it meanwhile keeps it. */
export function focusFromNowhere(): void {
  if (document.activeElement === document.body) focusComposer();
}

/** A ref for what may go away under the focus, which then goes to the composer instead of to nothing. */
export const keepFocus = (node: HTMLElement | null) => {
  if (!node) return undefined;
  return () => {
    // It is called before React takes the element away.
    if (node.contains(document.activeElement)) setTimeout(focusFromNowhere);
  };
};
