/** Faults of stores, for the explorer to find. */
import { COMMIT_KEY, EMPTY_RECORD } from "perdure/checkpoint";
import type { Checkpointer, CommitGuard, ThreadRecord } from "perdure/checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { overriding } from "../../support/crash-overriding.ts";

/** Makes of a store one with a fault. */
export type SeededFault = (store: Checkpointer) => Checkpointer;

/** Stores a checkpoint whatever the head is. */
export const headUnguarded: SeededFault = (store) =>
  overriding(store, {
    put: (config, ...rest) => store.put(guarded(config, { onHead: false }), ...rest),
  });

/** Stores what a run commits that was cancelled meanwhile. */
export const epochUnguarded: SeededFault = (store) => {
  const inThisEpoch = async (config: RunnableConfig): Promise<RunnableConfig> => {
    const record = await store.readRecord(String(config.configurable?.["thread_id"]));
    return guarded(config, { epoch: record?.epoch ?? 0 });
  };
  return overriding(store, {
    put: async (config, ...rest) => store.put(await inThisEpoch(config), ...rest),
    putWrites: async (config, ...rest) => store.putWrites(await inThisEpoch(config), ...rest),
  });
};

/** Takes the answer of a second approver as well, in place of the first one's. */
export const answerReplaced: SeededFault = (store) =>
  overriding(store, {
    commitAnswers: async (threadId, commit) => {
      const outcomes = await store.commitAnswers(threadId, commit);
      if (!outcomes.includes("different")) return outcomes;
      for (const { answer, task } of commit.answers) {
        if (task === undefined) continue;
        const { checkpointNs: checkpoint_ns, checkpointId: checkpoint_id, taskId, earlier } = task;
        const config = { configurable: { thread_id: threadId, checkpoint_ns, checkpoint_id } };
        await store.putWrites(config, [["__resume__", [...earlier, answer]]], taskId);
      }
      return outcomes.map(() => "accepted");
    },
  });

/** Says that it stored a superstep, and did not. */
export const checkpointLost: SeededFault = (store) =>
  overriding(store, {
    put: async (config, checkpoint, metadata, versions) => {
      if (metadata.source !== "loop") return store.put(config, checkpoint, metadata, versions);
      return { configurable: { ...config.configurable, checkpoint_id: checkpoint.id } };
    },
  });

/** Says that it stored the second of two tasks' results, and did not. */
export const resultLost: SeededFault = (store) => {
  const tasks = new Set<string>();
  return overriding(store, {
    putWrites: async (config, writes, taskId) => {
      tasks.add(taskId);
      if (tasks.size !== 2) await store.putWrites(config, writes, taskId);
    },
  });
};

/** Refuses a checkpoint on a head that moved, and stores it all the same. */
export const refusedAndStored: SeededFault = (store) =>
  overriding(store, {
    put: async (config, ...rest) => {
      try {
        return await store.put(config, ...rest);
      } catch (error) {
        await store.put(guarded(config, { onHead: false }), ...rest);
        throw error;
      }
    },
  });

/** Changes the record as it was read the last time, and not as it is: of two changes at once one is lost. */
export const recordStale: SeededFault = (store) => {
  let last: ThreadRecord = EMPTY_RECORD;
  return overriding(store, {
    readRecord: async (threadId) => {
      const record = await store.readRecord(threadId);
      last = record ?? EMPTY_RECORD;
      return record;
    },
    updateRecord: (threadId, change) => store.updateRecord(threadId, () => change(last)),
  });
};

function guarded(config: RunnableConfig, change: Partial<CommitGuard>): RunnableConfig {
  const guard = config.configurable?.[COMMIT_KEY] as CommitGuard | undefined;
  if (guard === undefined) return config;
  return { ...config, configurable: { ...config.configurable, [COMMIT_KEY]: { ...guard, ...change } } };
}
