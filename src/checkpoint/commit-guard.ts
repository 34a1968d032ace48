import type { RunnableConfig } from "@langchain/core/runnables";
import { PerdureError, show } from "../errors/index.ts";
import { COMMIT_KEY } from "./checkpointer.ts";
import type { CommitGuard } from "./checkpointer.ts";
import { assertStorableId, assertThreadId } from "./stored-id.ts";

/** Where a `put` or `putWrites` goes, read off its config. */
export interface CommitPlace {
  readonly threadId: string;
  readonly checkpointNs: string;
  /** For `put` the parent of the new checkpoint, for `putWrites` the checkpoint they belong to. */
  readonly checkpointId: string | undefined;
  readonly guard: CommitGuard | undefined;
  /** When a question in these writes was asked, as an ISO date; now when absent. */
  readonly askedAt: string | undefined;
}

/** The key of {@link CommitPlace.askedAt} in a config's `configurable`: only an import knows better than the clock. */
export const ASKED_AT_KEY = "__perdure_asked_at";

/** What a guard is compared with: the thread as it is at the moment of the commit. */
export interface FoundAtCommit {
  /** The newest checkpoint of the namespace. */
  readonly head: string | undefined;
  readonly epoch: number;
  /** The id of the checkpoint that is to become the head; only for `put`. */
  readonly next?: string;
}

/**
 * Reads the place and the guard of a commit.
 * @param ownId The id of the checkpoint that is put, or of the task whose writes they are.
 * @throws OPTIONS_INVALID for ids that not every store can keep
 */
export function commitPlace(config: RunnableConfig, method: "put" | "putWrites", ownId: string): CommitPlace {
  const configurable: Record<string, unknown> = config.configurable ?? {};
  const { thread_id: threadId, checkpoint_id: checkpointId } = configurable;
  const checkpointNs = configurable["checkpoint_ns"] ?? "";
  assertThreadId(method, threadId);
  assertStorableId(method, "checkpoint_ns", checkpointNs);
  if (checkpointId != null) assertStorableId(method, "checkpoint_id", checkpointId);
  if (method === "putWrites" && !checkpointId) throw missingCheckpointId(checkpointId);
  assertStorableId(method, method === "put" ? "checkpoint.id" : "taskId", ownId);
  return {
    threadId,
    checkpointNs,
    checkpointId: (checkpointId as string | undefined) || undefined,
    guard: configurable[COMMIT_KEY] as CommitGuard | undefined,
    askedAt: configurable[ASKED_AT_KEY] as string | undefined,
  };
}

/** Throws `CHECKPOINT_CONFLICT` when a guarded commit does not find what it must find. */
export function assertGuard(place: CommitPlace, method: "put" | "putWrites", found: FoundAtCommit): void {
  const { guard, threadId, checkpointNs, checkpointId } = place;
  if (guard === undefined) return;
  if (guard.epoch !== found.epoch) {
    throw new PerdureError(
      "CHECKPOINT_CONFLICT",
      `a commit to thread "${threadId}" was made in epoch ${guard.epoch}, but the thread is in epoch ${found.epoch}.`,
      {
        hint: "Somebody cancelled or superseded this run; nothing was stored. Inspect the thread and continue from there.",
      },
    );
  }
  if (method === "put" && guard.onHead && (checkpointId || undefined) !== found.head) {
    const where = checkpointNs === "" ? `thread "${threadId}"` : `namespace "${checkpointNs}" of thread "${threadId}"`;
    throw new PerdureError(
      "CHECKPOINT_CONFLICT",
      `a checkpoint on top of ${checkpointId || "nothing"} was put to ${where}, whose newest one is ${found.head ?? "none"}.`,
      { hint: "Somebody else advanced the thread; nothing was stored. Inspect the thread and continue from there." },
    );
  }
  if (guard.onHead) assertNewer(threadId, found);
}

/** The newest id is the head: one that is not newer would vanish behind it. */
function assertNewer(threadId: string, { head, next }: FoundAtCommit): void {
  if (head === undefined || next === undefined || next > head) return;
  throw new PerdureError(
    "CHECKPOINT_CONFLICT",
    `checkpoint ${next} was put to thread "${threadId}" on top of ${head}, which is newer.`,
    { hint: "The clocks of two machines differ; nothing was stored. Synchronise them, and continue the thread." },
  );
}

function missingCheckpointId(given: unknown): PerdureError {
  return new PerdureError("OPTIONS_INVALID", `putWrites needs \`configurable.checkpoint_id\`, got ${show(given)}.`, {
    hint: "Pass the config that `put` returned.",
  });
}
