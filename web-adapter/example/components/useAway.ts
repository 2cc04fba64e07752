import type { CrewError } from "crew-web-adapter";
import { useCrews } from "crew-web-adapter/react";
import { crew } from "./crew";

/**
 * Why the sidecar can't be reached, where nothing is followed that would tell; it is looked for again
 * every 5 s. null: it answers, or nobody knows yet.
 */
export function useAway(): { readonly error: CrewError | null; readonly retry: () => void } {
  const { error, refresh } = useCrews(crew);
  return { error: error?.temporary ? error : null, retry: refresh };
}
