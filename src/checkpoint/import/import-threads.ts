import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { z } from "zod";
import { PerdureError, anyFunction, isPerdureError, parseOptions } from "../../errors/index.ts";
import type { Checkpointer } from "../checkpointer.ts";
import type { OpenPool } from "../open-checkpointer.ts";
import { SECRET_OPTIONS, serializerSchema } from "../open-options.ts";
import { stagingId } from "../staging-thread.ts";
import { isStorableId } from "../stored-id.ts";
import { LangGraphTables } from "./langgraph-tables.ts";
import { stageThread } from "./stage-thread.ts";

/** How {@link importThreads} imports. */
export interface ImportThreadsOptions {
  /**
   * The schema of LangGraph's tables.
   * @default "public"
   */
  readonly schema?: string | undefined;
  /**
   * Only these threads.
   * @default all of them
   */
  readonly threadIds?: readonly string[] | undefined;
  /**
   * The serializer that LangGraph's saver was given.
   * @default LangGraph's own
   */
  readonly serde?: SerializerProtocol | undefined;
  /** Called after each thread. */
  readonly onProgress?: ((progress: ImportProgress) => void) | undefined;
  /** Stops after the checkpoint under way; the call then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What became of a thread. */
export interface ImportProgress {
  readonly threadId: string;
  /** `skipped` when the checkpointer has that thread already. */
  readonly outcome: "imported" | "skipped" | "failed";
  /** How many checkpoints were imported; none unless the thread was. */
  readonly checkpoints: number;
  /** Why it failed. */
  readonly error?: unknown;
}

/** What {@link importThreads} did. */
export interface ImportResult {
  /** How many threads were imported, and how many checkpoints they have. */
  readonly imported: number;
  readonly checkpoints: number;
  /** How many threads the checkpointer had already. */
  readonly skipped: number;
  /** The threads of which nothing was imported, and why. Look: an empty list means that all is well. */
  readonly failed: readonly { readonly threadId: string; readonly error: unknown }[];
}

const importSchema = z.strictObject({
  schema: z.string().min(1).default("public"),
  threadIds: z.array(z.string().refine(isStorableId, "must be well-formed text without NUL")).optional(),
  serde: serializerSchema.optional(),
  onProgress: anyFunction.optional(),
  signal: z.instanceof(AbortSignal).optional(),
});

/**
 * Imports threads from the tables of LangGraph's PostgresSaver, with the ids and parents of their checkpoints, their
 * metadata, namespaces and pending writes. LangGraph's tables are read by its own saver and stay as they are.
 *
 * Each checkpoint is read back and compared with what PostgresSaver gives; a thread in which one differs is not
 * imported, and stands in `failed` with `IMPORT_DIFFERS`. A thread appears whole, at the end; so an import
 * that was stopped or killed can be started again, and skips what is there. What a killed one left of a thread is in no
 * list, is not pruned, and goes when that thread is imported again; only `list` without a thread gives it. Nobody should write to the threads in
 * LangGraph's tables meanwhile.
 *
 * What PostgresSaver lost is lost: after a fork it gives values of the other branch (its versions collide), and those are
 * imported.
 *
 * Checkpoints are read one by one, since PostgresSaver's `list` gets slower the more it lists, and of a list that grew only
 * what is new is read; with a `serde` of your own each is read whole, which takes as long as PostgresSaver takes for it.
 *
 * @param from A `postgres://` URL, or an open `pg.Pool`, which stays open.
 * @param checkpointer Where to; any kind.
 * @throws OPTIONS_INVALID, CHECKPOINTER_URL_INVALID
 * @throws CHECKPOINTER_UNREACHABLE, CHECKPOINTER_TABLE_MISSING for either database
 * @throws PEER_MISSING without the package `@langchain/langgraph-checkpoint-postgres`
 */
export async function importThreads(
  from: string | OpenPool,
  checkpointer: Checkpointer,
  options: ImportThreadsOptions = {},
): Promise<ImportResult> {
  const parsed = parseOptions("importThreads", importSchema, options, { secret: SECRET_OPTIONS });
  const { threadIds } = parsed;
  const { onProgress, signal } = options;
  const tables = await LangGraphTables.open(from, parsed);
  let [imported, skipped, checkpoints] = [0, 0, 0];
  const failed: { threadId: string; error: unknown }[] = [];
  try {
    for await (const threadId of threadIds ?? tables.threadIds()) {
      signal?.throwIfAborted();
      const progress = await importThread(tables, checkpointer, threadId, signal);
      if (progress.outcome === "imported") imported += 1;
      else if (progress.outcome === "skipped") skipped += 1;
      else failed.push({ threadId, error: progress.error });
      checkpoints += progress.checkpoints;
      onProgress?.(progress);
    }
  } finally {
    await tables.close();
  }
  return { imported, checkpoints, skipped, failed };
}

async function importThread(
  tables: LangGraphTables,
  checkpointer: Checkpointer,
  threadId: string,
  signal: AbortSignal | undefined,
): Promise<ImportProgress> {
  // Where the thread stands until it is whole.
  const staging = stagingId(threadId);
  const lock = await checkpointer.lockThread(staging, { mode: "exclusive", wait: true, signal });
  try {
    // What an import that was killed left, also after it had copied the thread.
    await checkpointer.deleteThread(staging);
    if (await isThere(checkpointer, threadId)) return { threadId, outcome: "skipped", checkpoints: 0 };
    try {
      const checkpoints = await stageThread(tables, checkpointer, { threadId, staging, signal });
      if (checkpoints === 0) throw notInTables(threadId);
      await checkpointer.copyThread(staging, threadId);
      return { threadId, outcome: "imported", checkpoints };
    } finally {
      await checkpointer.deleteThread(staging);
    }
  } catch (error) {
    if (isPerdureError(error, "THREAD_EXISTS")) return { threadId, outcome: "skipped", checkpoints: 0 };
    if (signal?.aborted === true || endsImport(error)) throw error;
    return { threadId, outcome: "failed", checkpoints: 0, error };
  } finally {
    await lock?.release();
  }
}

async function isThere(checkpointer: Checkpointer, threadId: string): Promise<boolean> {
  const config = { configurable: { thread_id: threadId, checkpoint_ns: "" } };
  return (await checkpointer.getTuple(config)) !== undefined || (await checkpointer.readRecord(threadId)) !== undefined;
}

/** Whether the next thread would fail in the same way. */
function endsImport(error: unknown): boolean {
  return isPerdureError(error) && error.code.startsWith("CHECKPOINTER_");
}

function notInTables(threadId: string): PerdureError {
  return new PerdureError("THREAD_NOT_FOUND", `There is no thread "${threadId}" in LangGraph's tables.`, {
    hint: "Check the id, the database and the schema.",
  });
}
