import { MemorySaver, WRITES_IDX_MAP } from "@langchain/langgraph-checkpoint";
import type { Checkpoint, CheckpointMetadata, PendingWrite, SerializerProtocol } from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { COMMIT_KEY } from "perdure/checkpoint";

/** Where MemorySaver is not what a saver has to equal; the differences that are known and wanted. */
export interface ReferenceOptions {
  /**
   * Of a task that stored its result twice (a second run of it, or two edits of one checkpoint), MemorySaver
   * keeps the first write of each position, which can mix the two. With `always` the first result stays
   * whole, as it does in perdure; with `guarded` only where the runner commits.
   */
  readonly wholeResults: "always" | "guarded";
}

/**
 * LangGraph's MemorySaver, which a saver is compared with, but for what is known to be wrong with it:
 *
 * - mixed results: see {@link ReferenceOptions};
 * - bytes written to a channel cannot be read back as it stores them;
 * - with `durability: "exit"`, LangGraph may put a checkpoint on top of itself. It becomes its own parent
 *   here, and a walk through its ancestors would never end; it keeps the parent it had.
 *
 * What stays different is left out of the comparison: filters by objects, which MemorySaver compares by
 * `===`, and objects changed in place that no node returned.
 */
export class ReferenceSaver extends MemorySaver {
  readonly #options: ReferenceOptions;

  constructor(options: ReferenceOptions) {
    super(new OnlyJson());
    this.#options = options;
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
  ): Promise<RunnableConfig> {
    const { thread_id, checkpoint_ns = "", checkpoint_id } = config.configurable ?? {};
    if (checkpoint_id !== checkpoint.id) return super.put(config, checkpoint, metadata);
    const parent = this.storage[thread_id]?.[checkpoint_ns]?.[checkpoint.id]?.[2];
    return super.put({ configurable: { thread_id, checkpoint_ns, checkpoint_id: parent } }, checkpoint, metadata);
  }

  override async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    const { thread_id, checkpoint_ns, checkpoint_id } = config.configurable ?? {};
    const whole = this.#options.wholeResults === "always" || config.configurable?.[COMMIT_KEY] !== undefined;
    const stored = this.writes[JSON.stringify([thread_id, checkpoint_ns, checkpoint_id])] ?? {};
    const hasResult = Object.values(stored).some(([task, channel]) => task === taskId && !(channel in WRITES_IDX_MAP));
    const special = writes.filter(([channel]) => channel in WRITES_IDX_MAP);
    await super.putWrites(config, whole && hasResult ? special : writes, taskId);
  }
}

/** MemorySaver reads everything as `json`, whatever the serializer called it; inside a list nothing is called otherwise. */
class OnlyJson implements SerializerProtocol {
  readonly #serde = new MemorySaver().serde;

  dumpsTyped(value: unknown): Promise<[string, Uint8Array]> {
    return this.#serde.dumpsTyped([value]);
  }

  async loadsTyped(type: string, data: Uint8Array | string): Promise<unknown> {
    return ((await this.#serde.loadsTyped(type, data)) as unknown[])[0];
  }
}
