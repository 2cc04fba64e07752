import { CrewError } from "crew-web-adapter";
import { useEffect, useState } from "react";
import { crew } from "./crew";

/** How often the sidecar is asked, ms. */
const LOOK = 2_000;

/** Where a queued run is in line now, from 1; 0: it is its turn. `first`: where it was when it was queued. */
export function usePosition(run: string, first: number): number {
  const [known, setKnown] = useState({ run, position: first });
  useEffect(() => {
    const unmount = new AbortController();
    const { signal } = unmount;
    let timer = setTimeout(() => void look(), LOOK);
    async function look(): Promise<void> {
      try {
        const { position = 0 } = await crew.get(run, { signal });
        setKnown({ run, position });
      } catch (error) {
        if (signal.aborted) return;
        // That it is away is told elsewhere.
        if (!(error instanceof CrewError)) throw error;
      }
      timer = setTimeout(() => void look(), LOOK);
    }
    return () => {
      unmount.abort();
      clearTimeout(timer);
    };
  }, [run]);
  return known.run === run ? known.position : first;
}
