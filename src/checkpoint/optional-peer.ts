import { PerdureError } from "../errors/index.ts";

/** The packages that are loaded when something needs them; LangGraph's saver only for importing from its tables. */
export type OptionalPeer = "pg" | "@electric-sql/pglite" | "@langchain/langgraph-checkpoint-postgres";

/**
 * Loads an optional peer.
 * @param neededFor What asked for it, such as `postgres://`.
 * @throws PEER_MISSING when the package, or one that it needs, is not installed
 */
export async function loadPeer<T>(name: OptionalPeer, neededFor: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof Error) || (error as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new PerdureError("PEER_MISSING", `${neededFor} needs the package ${name}, which is not installed.`, {
      hint: `Run \`npm install ${name}\`.`,
      cause: error,
    });
  }
}
