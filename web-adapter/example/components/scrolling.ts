/** What scrolls when something in it is out of sight. */
export function scrollerOf(element: Element): Element {
  for (let at = element.parentElement; at && at !== document.body; at = at.parentElement)
    if (/auto|scroll/.test(getComputedStyle(at).overflowY)) return at;
  return document.scrollingElement ?? document.documentElement;
}

/** Opens or shows something when it is pressed. */
const OPENS = "summary, [aria-expanded], [role=tab], .code-more";

/**
 * Keeps what was pressed where it is while something opens below it: a chat that follows its end would else scroll
 * it away. Gives what ends that.
 */
export function stayPut(around: Element): () => void {
  const onClick = ({ target }: Event) => {
    const pressed = target instanceof Element ? target.closest(OPENS) : null;
    if (!pressed) return;
    const { top } = pressed.getBoundingClientRect();
    const scroller = scrollerOf(pressed);
    // Behind what the click did, and before it is painted.
    requestAnimationFrame(() => {
      scroller.scrollTop += pressed.getBoundingClientRect().top - top;
    });
  };
  around.addEventListener("click", onClick, true);
  return () => around.removeEventListener("click", onClick, true);
}
