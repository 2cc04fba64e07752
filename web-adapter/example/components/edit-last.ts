/** Of every button that edits a brief. */
export const EDIT = "edit-brief";

/** Edits the last brief that is shown, as its own button does; tells whether there is one. */
export function editLast(): boolean {
  const last = [...document.querySelectorAll<HTMLButtonElement>(`.${EDIT}`)].at(-1);
  last?.click();
  return last !== undefined;
}
