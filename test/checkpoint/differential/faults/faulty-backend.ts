import type { Checkpoint, CheckpointMetadata } from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { COMMIT_KEY } from "perdure/checkpoint";
import type { CommitGuard } from "perdure/checkpoint";
import { localActor } from "../actor.ts";
import { ReferenceSaver } from "../reference-saver.ts";
import type { DifferentialBackend } from "../stores.ts";
import type { FaultName } from "./faults.ts";
import { withFault } from "./with-fault.ts";

/** Two instances of a saver with a fault, or with none, on one store that is right. */
export function faultyBackend(fault: FaultName | "none"): DifferentialBackend {
  return {
    name: fault,
    wholeResults: "always",
    async fresh() {
      const right = new GuardedSaver({ wholeResults: "always" });
      const store = new Map<string, unknown>();
      const open = async () => withFault(right, fault, store);
      return { actors: [await localActor(open), await localActor(open)], remove: async () => {} };
    },
  };
}

/** The reference, with the guard of a commit that the runner passes. */
class GuardedSaver extends ReferenceSaver {
  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
  ): Promise<RunnableConfig> {
    const { [COMMIT_KEY]: guard, thread_id, checkpoint_ns, checkpoint_id } = config.configurable ?? {};
    if ((guard as CommitGuard | undefined)?.onHead) {
      const head = await this.getTuple({ configurable: { thread_id, checkpoint_ns } });
      if (head?.checkpoint.id !== checkpoint_id)
        throw Object.assign(new Error("refused"), { code: "CHECKPOINT_CONFLICT" });
    }
    return super.put(config, checkpoint, metadata);
  }
}
