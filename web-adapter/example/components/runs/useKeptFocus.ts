import { useLayoutEffect, useRef, type FocusEvent } from "react";
import { MAIN } from "../composer-focus";

interface Place {
  /** The row, by its run; undefined: beside the rows. */
  readonly run: string | undefined;
  /** Which row from the top that was. */
  readonly index: number;
}

/**
 * The focus stays in what has rows that come, go and change places: with its run's row, else with the one
 * that is now where that was, else with what the page is about. For the element around them all.
 */
export function useKeptFocus<Around extends HTMLElement>() {
  const around = useRef<Around>(null);
  const place = useRef<Place>(null);
  // React tells of no blur that it causes itself by taking an element out of the page.
  useLayoutEffect(() => {
    if (!place.current || document.activeElement !== document.body) return;
    const { run, index } = place.current;
    const rows = rowsIn(around.current);
    const row =
      run === undefined ? undefined : (rows.find((one) => one.dataset["run"] === run) ?? rows[index] ?? rows.at(-1));
    (row?.querySelector("a") ?? document.getElementById(MAIN))?.focus();
  });
  return {
    ref: around,
    onFocus({ target }: FocusEvent) {
      const row = target.closest<HTMLElement>("[data-run]");
      place.current = { run: row?.dataset["run"], index: row ? rowsIn(around.current).indexOf(row) : -1 };
    },
    onBlur({ target }: FocusEvent) {
      // It keeps the focus when the window loses it.
      if (document.activeElement !== target) place.current = null;
    },
  };
}

export const rowsIn = (around: ParentNode | null): readonly HTMLElement[] => [
  ...(around?.querySelectorAll<HTMLElement>("[data-run]") ?? []),
];
