import { PerdureError } from "../errors/index.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { MemoryCheckpointer } from "./memory-checkpointer.ts";

/** Opens the place where threads live. */
export async function openCheckpointer(target: string): Promise<Checkpointer> {
  if (target === "memory:") return new MemoryCheckpointer();
  throw new PerdureError("CHECKPOINTER_URL_INVALID", "only memory: so far.", { hint: "Wait." });
}
