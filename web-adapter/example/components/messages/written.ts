import { textOf, type RunView } from "crew-web-adapter";

/** The answer as the crew wrote it, or as far as it got; "": it wrote nothing. */
export const answerOf = (run: RunView): string => textOf(run).trim();
