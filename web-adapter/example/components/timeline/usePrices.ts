"use client";

import type { CrewClient, Prices } from "crew-web-adapter";
import { useEffect, useState } from "react";

/** The user's table of prices; null while it is not there. */
export function usePrices(client: CrewClient): Prices | null {
  const [prices, setPrices] = useState<Prices | null>(null);
  useEffect(() => {
    const unmount = new AbortController();
    // A run is shown as well without.
    client.prices({ signal: unmount.signal }).then(setPrices, () => {});
    return () => unmount.abort();
  }, [client]);
  return prices;
}
