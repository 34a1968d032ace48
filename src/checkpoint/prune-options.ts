import { z } from "zod";
import { parseOptions } from "../errors/index.ts";
import { isStorableId } from "./stored-id.ts";

/**
 * What {@link Checkpointer.prune} removes. `keepNewest` and an age are two criteria, and each works on its own;
 * at least one must be given.
 */
export interface PruneOptions {
  /**
   * Only this thread.
   * @default every thread
   */
  readonly threadId?: string | undefined;
  /**
   * Trims each thread: of each namespace the newest so many checkpoints stay, and what those need. The newest one
   * always stays, so a thread can go on. A branch that is older than that goes, whether it was left or not.
   * @default nothing is trimmed
   */
  readonly keepNewest?: number | undefined;
  /**
   * Deletes threads whose newest checkpoint is older than so many milliseconds, whole.
   * @default no thread is deleted
   */
  readonly olderThanMs?: number | undefined;
  /** The same as a date: deletes threads whose newest checkpoint is older. Not together with `olderThanMs`. */
  readonly before?: Date | undefined;
  /**
   * Leaves threads alone that are not done: with tasks to run, a question that is open, a failure, or cancelled
   * in the middle.
   * @default true for deleting threads, false for trimming them
   */
  readonly finishedOnly?: boolean | undefined;
}

/** What {@link Checkpointer.prune} did. */
export interface PruneResult {
  /** How many threads were deleted whole. */
  readonly threads: number;
  /** How many checkpoints were removed, with those of deleted threads. */
  readonly checkpoints: number;
}

/** Checked options: what to do with a thread. */
export interface PrunePlan {
  readonly threadId: string | undefined;
  readonly trim: { readonly keepNewest: number; readonly finishedOnly: boolean } | undefined;
  readonly remove: { readonly before: Date; readonly finishedOnly: boolean } | undefined;
}

const pruneSchema = z
  .strictObject({
    threadId: z.string().min(1).refine(isStorableId, "must be well-formed text without NUL").optional(),
    keepNewest: z.int().min(1).optional(),
    olderThanMs: z.number().min(0).optional(),
    before: z.date("must be a valid Date").optional(),
    finishedOnly: z.boolean().optional(),
  })
  .refine(
    ({ keepNewest, olderThanMs, before }) => [keepNewest, olderThanMs, before].some((given) => given !== undefined),
    "needs `keepNewest`, `olderThanMs` or `before`",
  )
  .refine(
    ({ olderThanMs, before }) => olderThanMs === undefined || before === undefined,
    "takes `olderThanMs` or `before`, not both",
  )
  // Whoever gives nothing is told what it needs.
  .prefault({});

/** Checks the options. @throws OPTIONS_INVALID */
export function prunePlan(options: PruneOptions): PrunePlan {
  const { threadId, keepNewest, olderThanMs, before, finishedOnly } = parseOptions("prune", pruneSchema, options);
  const cutoff = olderThanMs === undefined ? before : new Date(Date.now() - olderThanMs);
  return {
    threadId,
    trim: keepNewest === undefined ? undefined : { keepNewest, finishedOnly: finishedOnly ?? false },
    remove: cutoff === undefined ? undefined : { before: cutoff, finishedOnly: finishedOnly ?? true },
  };
}
