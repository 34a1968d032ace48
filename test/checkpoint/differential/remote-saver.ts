import { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type {
  ChannelVersions,
  Checkpoint,
  CheckpointListOptions,
  CheckpointMetadata,
  CheckpointTuple,
  DeltaChannelHistory,
  PendingWrite,
} from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { nextChannelVersion } from "./next-version.ts";

/** What a saver in another process is asked. */
export type SaverMethod = "getTuple" | "list" | "put" | "putWrites" | "deleteThread" | "getDeltaChannelHistory";

/** Calls a method of the saver; a list comes as an array. */
export type CallSaver = (method: SaverMethod, args: readonly unknown[]) => Promise<unknown>;

/** A saver that is open in another process. */
export class RemoteSaver extends BaseCheckpointSaver {
  readonly #call: CallSaver;

  constructor(call: CallSaver) {
    super();
    this.#call = call;
  }

  override getNextVersion(current: number | undefined): number {
    return nextChannelVersion(current);
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    return (await this.#call("getTuple", [plain(config)])) as CheckpointTuple | undefined;
  }

  override async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const { before, ...rest } = options;
    const plainOptions = before === undefined ? rest : { ...rest, before: plain(before) };
    yield* (await this.#call("list", [plain(config), plainOptions])) as CheckpointTuple[];
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    return (await this.#call("put", [plain(config), checkpoint, metadata, newVersions])) as RunnableConfig;
  }

  override async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    await this.#call("putWrites", [plain(config), writes, taskId]);
  }

  override async deleteThread(threadId: string): Promise<void> {
    await this.#call("deleteThread", [threadId]);
  }

  override async getDeltaChannelHistory({
    config,
    channels,
  }: {
    config: RunnableConfig;
    channels: string[];
  }): Promise<Record<string, DeltaChannelHistory>> {
    const options = { config: plain(config), channels };
    return (await this.#call("getDeltaChannelHistory", [options])) as Record<string, DeltaChannelHistory>;
  }
}

/** A graph's config without what cannot travel. */
function plain(config: RunnableConfig): RunnableConfig {
  const { thread_id, checkpoint_ns, checkpoint_id } = config.configurable ?? {};
  const named = Object.entries({ thread_id, checkpoint_ns, checkpoint_id }).filter(([, value]) => value !== undefined);
  return { configurable: Object.fromEntries(named) };
}
