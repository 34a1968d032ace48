import { PerdureError } from "../errors/index.ts";
import type { Checkpointer } from "./checkpointer.ts";

/** Opens a file. */
export async function openSqlite(_path: string | undefined): Promise<Checkpointer> {
  throw new PerdureError("CHECKPOINTER_UNSUPPORTED", "sqlite: is not built yet.", { hint: "Use pglite:." });
}
