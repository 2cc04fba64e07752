import { createContext } from "react";

/** Called when a conversation was chosen: where the list is over the page, it goes. */
export const Chosen = createContext<(() => void) | undefined>(undefined);
