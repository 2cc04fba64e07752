import type { WireError } from "./protocol.ts";

/**
 * The one error of this package.
 *
 * `code` is one of the protocol's (`unknown_run`, `at_capacity`, …: the server answered), or
 *
 * - `unreachable`: no sidecar answered at that address
 * - `lost`: a connection was open and broke or fell silent, or an ack did not come in time
 * - `closed`: the server closed the socket for good (close codes 4500-4999)
 * - `unauthorized`: what `getTicket` or `headers` rejected with is in the message
 * - `busy`: too many commands of this client are unanswered
 */
export class CrewError extends Error {
  override readonly name = "CrewError";
  declare readonly code: string;
  /** The same request may succeed later. */
  declare readonly temporary: boolean;

  constructor({ code, message, temporary }: WireError) {
    super(message);
    this.code = code;
    this.temporary = temporary;
  }
}

const passing = (code: string, message: string): CrewError => new CrewError({ code, message, temporary: true });

export const unreachable = (base: string): CrewError =>
  passing("unreachable", `No sidecar answers${base && ` at ${base}`}.`);
export const lost = (): CrewError => passing("lost", "The connection to the sidecar broke.");
export const unauthorized = (error: unknown): CrewError =>
  passing("unauthorized", error instanceof Error ? error.message : String(error));
export const busy = (message = "Too many commands are unanswered."): CrewError => passing("busy", message);

/** A CrewError with one of these codes. */
export const hasCode = (error: unknown, ...codes: readonly string[]): error is CrewError =>
  error instanceof CrewError && codes.includes(error.code);
