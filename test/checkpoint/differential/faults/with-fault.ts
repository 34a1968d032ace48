import { BaseCheckpointSaver, copyCheckpoint } from "@langchain/langgraph-checkpoint";
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
import { FAULTS } from "./faults.ts";
import type { FaultName } from "./faults.ts";

/** One call of `put`. */
export interface PutCall {
  readonly config: RunnableConfig;
  /** With values of its own, as they were when the call was made. */
  readonly checkpoint: Checkpoint;
  readonly metadata: CheckpointMetadata;
  readonly newVersions: ChannelVersions;
  /** The checkpoint that the caller gave, with its very objects, whatever became of them. */
  readonly given: Checkpoint;
  /** The objects that were in a list of the caller when the call was made. */
  readonly itemsOf: (channel: string) => readonly unknown[];
}

/** What a faulty saver does otherwise; what is absent it does right. */
export type Faulty = Partial<
  Pick<BaseCheckpointSaver, "putWrites" | "getTuple" | "list" | "deleteThread" | "getDeltaChannelHistory">
> & {
  readonly put?: (call: PutCall) => Promise<RunnableConfig>;
  /** Changes what was read; it may change the tuple itself. */
  readonly spoilt?: (tuple: CheckpointTuple) => CheckpointTuple | Promise<CheckpointTuple>;
};

/**
 * A saver that behaves as one with a certain fault would; for the test of the test. Instances on one store share
 * `store`, where a fault keeps what it would have stored.
 */
export function withFault(
  saver: BaseCheckpointSaver,
  fault: FaultName | "none",
  store: Map<string, unknown>,
): BaseCheckpointSaver {
  return new FaultySaver(saver, fault === "none" ? {} : FAULTS[fault](saver, store));
}

/** The same value in objects of its own, as it is now. */
async function copied(saver: BaseCheckpointSaver, value: unknown): Promise<unknown> {
  const [type, bytes] = await saver.serde.dumpsTyped([value]);
  return ((await saver.serde.loadsTyped(type, bytes)) as unknown[])[0];
}

class FaultySaver extends BaseCheckpointSaver {
  readonly #inner: BaseCheckpointSaver;
  readonly #faulty: Faulty;

  constructor(inner: BaseCheckpointSaver, faulty: Faulty) {
    super();
    this.#inner = inner;
    this.#faulty = faulty;
  }

  override getNextVersion = (current: number | undefined): number => this.#inner.getNextVersion(current) as number;

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const read = this.#faulty.getTuple ?? ((at: RunnableConfig) => this.#inner.getTuple(at));
    const tuple = await read(config);
    return tuple && this.#spoilt(tuple);
  }

  override async *list(config: RunnableConfig, options?: CheckpointListOptions): AsyncGenerator<CheckpointTuple> {
    const tuples = this.#faulty.list?.(config, options) ?? this.#inner.list(config, options);
    for await (const tuple of tuples) yield this.#spoilt(tuple);
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    if (this.#faulty.put === undefined) return this.#inner.put(config, checkpoint, metadata, newVersions);
    const given = copyCheckpoint(checkpoint);
    const items = new Map(
      Object.entries(given.channel_values).map(([channel, value]) => [channel, Array.isArray(value) ? [...value] : []]),
    );
    const own = {
      ...given,
      channel_values: (await copied(this.#inner, given.channel_values)) as Record<string, unknown>,
    };
    const itemsOf = (channel: string): unknown[] => items.get(channel) ?? [];
    return this.#faulty.put({ config, checkpoint: own, metadata, newVersions, given, itemsOf });
  }

  override async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    const putWrites = this.#faulty.putWrites ?? this.#inner.putWrites.bind(this.#inner);
    return putWrites(config, writes, taskId);
  }

  override async deleteThread(threadId: string): Promise<void> {
    const deleteThread = this.#faulty.deleteThread ?? this.#inner.deleteThread.bind(this.#inner);
    return deleteThread(threadId);
  }

  override async getDeltaChannelHistory(options: {
    config: RunnableConfig;
    channels: string[];
  }): Promise<Record<string, DeltaChannelHistory>> {
    const read = this.#faulty.getDeltaChannelHistory ?? this.#inner.getDeltaChannelHistory.bind(this.#inner);
    return read(options);
  }

  async #spoilt(tuple: CheckpointTuple): Promise<CheckpointTuple> {
    return this.#faulty.spoilt?.(tuple) ?? tuple;
  }
}
