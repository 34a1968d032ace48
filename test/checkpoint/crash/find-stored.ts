import type { Checkpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import type { StoredCommit } from "./account.ts";
import { checkpointDigest, contentDigest } from "./content-digest.ts";
import { loadGraph } from "./load-graph.ts";

/** A thread as the database has it. */
export interface StoredThread {
  readonly thread: string;
  /** By id. */
  readonly checkpoints: ReadonlyMap<string, StoredCheckpoint>;
  readonly status: string;
  readonly log: readonly string[];
  readonly turn: number;
}

interface StoredCheckpoint {
  readonly parentId: string | undefined;
  readonly digest: string;
  /** Digests of the values, by task and channel. */
  readonly writes: ReadonlyMap<string, readonly string[]>;
}

/** Reads all checkpoints of the threads that are there, with their writes. */
export async function findStored(checkpointer: Checkpointer, threads: readonly string[]): Promise<StoredThread[]> {
  const runner = createRunner(loadGraph({ began: () => {}, effect: () => {} }), { name: "witness", checkpointer });
  const found: StoredThread[] = [];
  for (const thread of threads) {
    const checkpoints = new Map<string, StoredCheckpoint>();
    for await (const tuple of checkpointer.list({ configurable: { thread_id: thread, checkpoint_ns: "" } })) {
      const { checkpoint, metadata, parentConfig, pendingWrites = [] } = tuple;
      const writes = new Map<string, string[]>();
      for (const [task, channel, value] of pendingWrites) {
        const key = `${task} ${channel}`;
        writes.set(key, [...(writes.get(key) ?? []), contentDigest(value)]);
      }
      checkpoints.set(checkpoint.id, {
        parentId: parentConfig?.configurable?.["checkpoint_id"] as string | undefined,
        digest: checkpointDigest(checkpoint, metadata),
        writes,
      });
    }
    if (checkpoints.size === 0) continue; // its client was killed before anything was stored
    const { status, values } = await runner.inspect(thread);
    found.push({ thread, checkpoints, status, log: values.log, turn: values.turn });
  }
  return found;
}

/** Commits that had been acknowledged, and are not there, or not as they were. */
export function commitsLost(commits: readonly StoredCommit[], threads: readonly StoredThread[]): string[] {
  const byName = new Map(threads.map((thread) => [thread.thread, thread.checkpoints]));
  return commits.flatMap((commit) => {
    const checkpoints = byName.get(commit.thread);
    if ("put" in commit) {
      const found = checkpoints?.get(commit.put);
      if (found === undefined) return [`checkpoint ${commit.put} of ${commit.thread} is lost`];
      return found.digest === commit.digest ? [] : [`checkpoint ${commit.put} of ${commit.thread} is another one`];
    }
    const found = checkpoints?.get(commit.writesOf)?.writes;
    // a result can be stored while its checkpoint still is on its way; then nothing stands on either
    if (found === undefined) return [];
    return commit.writes.flatMap(([channel, digest]) => {
      const digests = found.get(`${commit.task} ${channel}`);
      const where = `${channel} of task ${commit.task} of ${commit.thread}`;
      if (digests === undefined) return [`${where} is lost`];
      return digest === undefined || digests.includes(digest) ? [] : [`${where} is another one`];
    });
  });
}
