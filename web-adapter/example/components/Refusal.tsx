import type { CrewError } from "crew-web-adapter";
import { says } from "./useCommand";

/** Why a command was refused, where it was given. */
export const Refusal = ({ error }: { readonly error: CrewError }) => (
  <p className="refused" role="alert">
    {says(error)}
  </p>
);
