import type { CrewError } from "crew-web-adapter";
import { says } from "./useCommand";

/** Why a command was refused, where it was given. */
export const Refusal = ({ error }: { readonly error: CrewError }) => (
  <p className="refused" role="alert">
    {error.code === "already_answered" ? "Somebody else was quicker; their answer counted." : says(error)}
  </p>
);
