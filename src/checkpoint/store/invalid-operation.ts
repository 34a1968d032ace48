import { PerdureError } from "../../errors/index.ts";

/** The error for an operation that no store can do. It names what is wrong, never a stored value. */
export function invalidOperation(what: string, hint: string): PerdureError {
  return new PerdureError("STORE_OPERATION_INVALID", `${what}.`, { hint: `${hint} Nothing was stored.` });
}
