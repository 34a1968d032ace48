import type { CheckpointMetadata, PendingWrite } from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import type { AnswerCommit, AnswerOutcome, Checkpointer } from "perdure/checkpoint";
import { overriding } from "./crash-overriding.ts";
import type { CrashPoint } from "./crash-point.ts";

/** A commit to a thread, as it came in. */
export type Commit =
  | { readonly method: "put"; readonly source: string; readonly namespace: string; readonly checkpointId: string }
  | {
      readonly method: "putWrites";
      readonly namespace: string;
      readonly checkpointId: string;
      readonly taskId: string;
      readonly channels: readonly string[];
      /** What a call inside of a node returned, if that is what is stored. */
      readonly returned?: unknown;
    }
  | { readonly method: "commitAnswers"; readonly answers: readonly { readonly id: string; readonly answer: unknown }[] }
  | { readonly method: "updateRecord" };

/** One thread under observation. */
export interface WatchedThread {
  readonly point: CrashPoint;
  /** Called when a commit has returned from the checkpointer. */
  readonly stored: (commit: Commit, outcomes: readonly AnswerOutcome[] | undefined) => void;
}

/**
 * The checkpointer with a crash point around each commit. It goes between the runner and the
 * checkpointer, so what one transaction stores is one commit here too.
 * @param watch the thread of that id; undefined for one that is to run undisturbed
 */
export function crashCheckpointer(
  checkpointer: Checkpointer,
  watch: (threadId: string) => WatchedThread | undefined,
): Checkpointer {
  const guard = <T>(threadId: unknown, commit: Commit, work: () => Promise<T>): Promise<T> => {
    const thread = watch(String(threadId));
    if (thread === undefined) return work();
    return thread.point.commit(work, (result) => {
      thread.stored(commit, commit.method === "commitAnswers" ? (result as AnswerOutcome[]) : undefined);
    });
  };
  const commits: Pick<Checkpointer, "put" | "putWrites" | "commitAnswers" | "updateRecord"> = {
    put: (config, checkpoint, metadata: CheckpointMetadata, newVersions) =>
      guard(
        config.configurable?.["thread_id"],
        { method: "put", source: metadata.source, namespace: namespaceOf(config), checkpointId: checkpoint.id },
        () => checkpointer.put(config, checkpoint, metadata, newVersions),
      ),
    putWrites: (config: RunnableConfig, writes: PendingWrite[], taskId, taskPath) =>
      guard(
        config.configurable?.["thread_id"],
        {
          method: "putWrites",
          namespace: namespaceOf(config),
          checkpointId: String(config.configurable?.["checkpoint_id"]),
          taskId,
          channels: writes.map(([channel]) => channel),
          returned: writes.find(([channel]) => channel === "__return__")?.[1],
        },
        () => checkpointer.putWrites(config, writes, taskId, taskPath),
      ),
    commitAnswers: (threadId, commit: AnswerCommit) =>
      guard(
        threadId,
        {
          method: "commitAnswers",
          answers: commit.answers.map(({ interruptId, answer }) => ({ id: interruptId, answer })),
        },
        () => checkpointer.commitAnswers(threadId, commit),
      ),
    updateRecord: (threadId, change) =>
      guard(threadId, { method: "updateRecord" }, () => checkpointer.updateRecord(threadId, change)),
  };
  return overriding(checkpointer, commits);
}

function namespaceOf(config: RunnableConfig): string {
  return String(config.configurable?.["checkpoint_ns"] ?? "");
}
