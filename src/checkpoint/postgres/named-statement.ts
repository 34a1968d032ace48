import { advisoryKey } from "../postgres-tables.ts";
import type { NamedStatement } from "../sql-driver.ts";

/** Names a statement by its text: a pool may serve several schemas, and several releases of this package. */
export function namedStatement(purpose: string, text: string): NamedStatement {
  return { name: `perdure_${purpose}_${advisoryKey(text)}`, text };
}
