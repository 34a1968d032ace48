import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { z } from "zod";
import { PerdureError, anyFunction, isPerdureError, parseOptions, show } from "../../errors/index.ts";
import type { Checkpointer } from "../checkpointer.ts";
import type { OpenPool } from "../open-checkpointer.ts";
import { SECRET_OPTIONS, serializerSchema } from "../open-options.ts";
import { stagingId } from "../staging-thread.ts";
import { isStorableId } from "../stored-id.ts";
import { LangGraphTables } from "./langgraph-tables.ts";
import type { LangGraphKey } from "./langgraph-tables.ts";
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
  /** Called after each thread, and within a long one after every hundred checkpoints. */
  readonly onProgress?: ((progress: ImportProgress) => void) | undefined;
  /** Stops after the checkpoint under way; the call then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How far an import is with a thread, or what became of it. */
export type ImportProgress =
  /** In the middle of a thread: so many of its checkpoints are copied and compared, and it has `total`. */
  | { readonly threadId: string; readonly outcome: "importing"; readonly checkpoints: number; readonly total: number }
  | { readonly threadId: string; readonly outcome: "imported"; readonly checkpoints: number }
  /** It was imported before: its newest checkpoint in LangGraph's tables is there. */
  | { readonly threadId: string; readonly outcome: "skipped" }
  | { readonly threadId: string; readonly outcome: "failed"; readonly error: unknown };

/** What {@link importThreads} did. */
export interface ImportResult {
  /** How many threads were imported, and how many checkpoints they have. */
  readonly imported: number;
  readonly checkpoints: number;
  /** The threads that were imported before, and of which LangGraph's tables have nothing newer. */
  readonly skipped: readonly string[];
  /**
   * The threads of which nothing was imported, and why: `IMPORT_DIFFERS`, `THREAD_NOT_FOUND`, or `THREAD_EXISTS` for one
   * that has other checkpoints here, whose old ones are missing. Look: an empty list means that all is well.
   */
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
 * The order of a switch: stop whatever writes to LangGraph's tables, import, look at `failed` and `skipped`, then start
 * with the new checkpointer. A thread that somebody wrote to here first has other checkpoints, and is not
 * imported: it stands in `failed` with `THREAD_EXISTS`, and so does one to which LangGraph's tables got more
 * after it was imported.
 *
 * Each checkpoint is read back and compared with what PostgresSaver gives; a thread in which one differs is not
 * imported, and stands in `failed` with `IMPORT_DIFFERS`. A thread appears whole, at the end; so an import
 * that was stopped or killed can be started again, and skips what is there. What a killed one left of a thread is in no
 * list, is not pruned, and goes when that thread is imported again; only `list` without a thread gives it. A thread that was
 * pruned here until none of what was imported is left looks like one that somebody else began.
 *
 * What PostgresSaver lost is lost: after a fork it gives values of the other branch (its versions collide), and those are
 * imported. A question's `askedAt` is the time of its checkpoint.
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
  assertPlaces(from, checkpointer);
  const parsed = parseOptions("importThreads", importSchema, options, { secret: SECRET_OPTIONS });
  const { threadIds } = parsed;
  const { onProgress, signal } = options;
  const tables = await LangGraphTables.open(from, parsed);
  let [imported, checkpoints] = [0, 0];
  const skipped: string[] = [];
  const failed: { threadId: string; error: unknown }[] = [];
  try {
    for await (const threadId of threadIds ?? tables.threadIds()) {
      signal?.throwIfAborted();
      const progress = await importThread({ tables, checkpointer, threadId, onProgress, signal });
      if (progress.outcome === "imported") {
        imported += 1;
        checkpoints += progress.checkpoints;
      } else if (progress.outcome === "skipped") skipped.push(threadId);
      else failed.push({ threadId, error: progress.error });
      onProgress?.(progress);
    }
  } finally {
    await tables.close();
  }
  return { imported, checkpoints, skipped, failed };
}

/** One thread, and where from and to. */
interface ThreadImport {
  readonly tables: LangGraphTables;
  readonly checkpointer: Checkpointer;
  readonly threadId: string;
  readonly onProgress: ImportThreadsOptions["onProgress"];
  readonly signal: AbortSignal | undefined;
}

type Outcome = Exclude<ImportProgress, { readonly outcome: "importing" }>;

async function importThread({ tables, checkpointer, threadId, onProgress, signal }: ThreadImport): Promise<Outcome> {
  // Where the thread stands until it is whole.
  const staging = stagingId(threadId);
  const lock = await checkpointer.lockThread(staging, { mode: "exclusive", wait: true, signal });
  /** An error of the caller's own function is no failure of the thread. */
  let callerError: unknown;
  const onBatch = (copied: number, total: number): void => {
    try {
      onProgress?.({ threadId, outcome: "importing", checkpoints: copied, total });
    } catch (error) {
      callerError = error;
      throw error;
    }
  };
  try {
    // What an import that was killed left, also after it had copied the thread.
    await checkpointer.deleteThread(staging);
    const keys = await tables.keys(threadId);
    if (keys.length === 0) throw notInTables(threadId);
    if (await isThere(checkpointer, threadId)) {
      await assertImported(checkpointer, threadId, keys);
      return { threadId, outcome: "skipped" };
    }
    try {
      await stageThread(tables, checkpointer, { keys, staging, onBatch, signal });
      await checkpointer.copyThread(staging, threadId);
      return { threadId, outcome: "imported", checkpoints: keys.length };
    } finally {
      await checkpointer.deleteThread(staging);
    }
  } catch (error) {
    if (signal?.aborted === true || error === callerError || endsImport(error)) throw error;
    return { threadId, outcome: "failed", error };
  } finally {
    await lock?.release();
  }
}

async function isThere(checkpointer: Checkpointer, threadId: string): Promise<boolean> {
  const config = { configurable: { thread_id: threadId, checkpoint_ns: "" } };
  return (await checkpointer.getTuple(config)) !== undefined || (await checkpointer.readRecord(threadId)) !== undefined;
}

/**
 * Throws unless the thread was imported before: its newest checkpoint in LangGraph's tables is there. Older ones may have
 * been pruned, and newer ones are what happened since.
 */
async function assertImported(
  checkpointer: Checkpointer,
  threadId: string,
  keys: readonly LangGraphKey[],
): Promise<void> {
  let missing = 0;
  for (const { ns, id } of keys.toReversed()) {
    const configurable = { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: id };
    if ((await checkpointer.getTuple({ configurable })) !== undefined) break;
    missing += 1;
  }
  if (missing === 0) return;
  const lacks = missing === keys.length ? `none of the ${missing}` : `not the newest ${missing} of the ${keys.length}`;
  throw new PerdureError(
    "THREAD_EXISTS",
    `there is a thread "${threadId}" already, but it has ${lacks} checkpoints that it has in LangGraph's tables.`,
    {
      hint:
        "Somebody wrote to it here before it was imported, or there since. Nothing was changed: to have the one of LangGraph's " +
        "tables, copy this one to another id or drop it (copyThread, deleteThread), and import it again.",
    },
  );
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

/** Without types the two are easily taken for each other, or one is left out. */
function assertPlaces(from: unknown, checkpointer: unknown): void {
  if (isCheckpointer(checkpointer)) return;
  const wrong = isCheckpointer(from)
    ? "the two are in the wrong order: first from where, then the checkpointer"
    : `the checkpointer to import to can't be ${typeof checkpointer === "object" ? "of another kind" : show(checkpointer)}`;
  throw new PerdureError("OPTIONS_INVALID", `importThreads: ${wrong}.`, {
    hint: 'Such as importThreads("postgres://…", await openCheckpointer("postgres://…")).',
  });
}

function isCheckpointer(value: unknown): boolean {
  return typeof value === "object" && value !== null && "copyThread" in value && "lockThread" in value;
}
