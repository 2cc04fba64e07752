import { CrewError, type Prices } from "crew-web-adapter";
import { useEffect, useState } from "react";
import { crew } from "../crew";

/** What models cost, as the user's table has it; null: there is none, or it is not known yet. */
export function usePrices(): Prices | null {
  const [prices, setPrices] = useState<Prices | null>(null);
  useEffect(() => {
    const unmount = new AbortController();
    crew.prices(unmount).then(
      (found) => setPrices(Object.keys(found.models).length > 0 ? found : null),
      // Without it no cost is told; that nobody answers is told elsewhere.
      (error: unknown) => {
        if (!unmount.signal.aborted && !(error instanceof CrewError)) throw error;
      },
    );
    return () => unmount.abort();
  }, []);
  return prices;
}
