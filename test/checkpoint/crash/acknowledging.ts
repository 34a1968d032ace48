import type { Checkpointer } from "perdure/checkpoint";
import { overriding } from "../../support/crash-overriding.ts";
import type { StoredCommit } from "./account.ts";
import { checkpointDigest, contentDigest } from "./content-digest.ts";

/** What a later commit may put something else in place of. */
const REPLACED = new Set(["__error__", "__interrupt__", "__resume__", "__scheduled__"]);

/** The checkpointer, which tells of each commit that it has acknowledged, before whoever made it goes on. */
export function acknowledging(checkpointer: Checkpointer, acknowledged: (commit: StoredCommit) => void): Checkpointer {
  const commits: Pick<Checkpointer, "put" | "putWrites"> = {
    put: async (config, checkpoint, metadata, newVersions) => {
      const digest = checkpointDigest(checkpoint, metadata); // now: the values may be changed in place later
      const result = await checkpointer.put(config, checkpoint, metadata, newVersions);
      acknowledged({ put: checkpoint.id, thread: String(config.configurable?.["thread_id"]), digest });
      return result;
    },
    putWrites: async (config, writes, task, path) => {
      const digests = writes.map(([channel, value]): [string, string?] =>
        REPLACED.has(channel) ? [channel] : [channel, contentDigest(value)],
      );
      await checkpointer.putWrites(config, writes, task, path);
      const { thread_id: thread, checkpoint_id: writesOf } = config.configurable ?? {};
      acknowledged({ writesOf: String(writesOf), thread: String(thread), task, writes: digests });
    },
  };
  return overriding(checkpointer, commits);
}
