import type { NamedStatement } from "./sql-driver.ts";
import { stableKey } from "./stable-key.ts";

/** Names a statement by its text: a pool may serve several schemas, and several releases of this package. */
export function namedStatement(purpose: string, text: string): NamedStatement {
  return { name: `perdure_${purpose}_${stableKey(text)}`, text };
}
