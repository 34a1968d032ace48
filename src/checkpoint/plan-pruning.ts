import type { ChannelVersions, CheckpointTuple } from "@langchain/langgraph-checkpoint";
import { isFinished } from "./finished-thread.ts";
import { removableCheckpoints } from "./kept-checkpoints.ts";
import type { CheckpointFacts, CheckpointKey } from "./kept-checkpoints.ts";
import type { KeptCheckpoint } from "./local-rows.ts";
import type { PrunePlan, PruneResult } from "./prune-options.ts";

/** What goes of a thread, and what that makes of the result. */
export type Pruning = { readonly result: PruneResult } & (
  | { readonly kind: "nothing" | "whole" }
  | { readonly kind: "some"; readonly gone: readonly CheckpointKey[]; readonly kept: readonly KeptCheckpoint[] }
);

/** Decides what goes of a thread, by all of its checkpoints. */
export async function planPruning(
  checkpoints: AsyncIterable<CheckpointTuple>,
  { trim, remove }: PrunePlan,
): Promise<Pruning> {
  let head: CheckpointTuple | undefined;
  const facts: CheckpointFacts[] = [];
  const versions = new Map<CheckpointFacts, ChannelVersions>();
  for await (const tuple of checkpoints) {
    const each = factsOf(tuple);
    if (each.ns === "" && (head === undefined || each.id > head.checkpoint.id)) head = tuple;
    facts.push(each);
    versions.set(each, tuple.checkpoint.channel_versions);
  }
  const isDone = head === undefined || isFinished(head);
  const isOld = head !== undefined && remove !== undefined && Date.parse(head.checkpoint.ts) < remove.before.getTime();
  if (isOld && (isDone || !remove.finishedOnly)) {
    return { kind: "whole", result: { threads: 1, checkpoints: facts.length } };
  }
  if (trim === undefined || (trim.finishedOnly && !isDone)) {
    return { kind: "nothing", result: { threads: 0, checkpoints: 0 } };
  }
  const gone = removableCheckpoints(facts, { keepNewest: trim.keepNewest, isFinished: isDone });
  const keys = new Set(gone.map(({ ns, id }) => JSON.stringify([ns, id])));
  const kept = facts
    .filter(({ ns, id }) => !keys.has(JSON.stringify([ns, id])))
    .map((each) => ({ ns: each.ns, versions: versions.get(each) ?? {} }));
  return { kind: "some", gone, kept, result: { threads: 0, checkpoints: gone.length } };
}

function factsOf({ config, checkpoint, metadata, parentConfig }: CheckpointTuple): CheckpointFacts {
  const parentId: unknown = parentConfig?.configurable?.["checkpoint_id"];
  return {
    ns: String(config.configurable?.["checkpoint_ns"] ?? ""),
    id: checkpoint.id,
    parentId: typeof parentId === "string" ? parentId : undefined,
    v: checkpoint.v,
    metadata,
    channels: Object.keys(checkpoint.channel_versions),
    values: new Set(Object.keys(checkpoint.channel_values)),
  };
}
