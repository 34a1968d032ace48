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
import type { Checkpointer } from "perdure/checkpoint";
import { collect } from "../../../support/collect.ts";
import { comparable, inOneOrder, place } from "../comparable.ts";
import { firstDifference } from "../first-difference.ts";
import type { Difference } from "../first-difference.ts";

/** A difference between the answers to one call. */
export interface TeeDifference extends Difference {
  readonly call: string;
}

/**
 * Gives every call to two savers, the one under test and the reference, and compares the answers; a graph gets
 * those of the one under test. So both get the same ids, versions and objects. The first difference is kept, since
 * a graph may swallow the error.
 */
export class TeeSaver extends BaseCheckpointSaver {
  /** The saver under test; it may be another one from call to call. */
  ours: BaseCheckpointSaver;
  difference: TeeDifference | undefined;
  readonly #reference: BaseCheckpointSaver;
  readonly #storing = new Set<Promise<unknown>>();

  constructor(ours: BaseCheckpointSaver, reference: BaseCheckpointSaver) {
    super();
    this.ours = ours;
    this.#reference = reference;
  }

  /** A function of its own: for a subgraph, LangGraph calls it without the saver. */
  override getNextVersion = (current: number | undefined): number => this.ours.getNextVersion(current) as number;

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    await this.settled();
    const [ours, reference] = await Promise.all([this.ours.getTuple(config), this.#reference.getTuple(config)]);
    this.#compare("getTuple", ours && comparable(ours), reference && comparable(reference));
    return ours;
  }

  override async *list(config: RunnableConfig, options?: CheckpointListOptions): AsyncGenerator<CheckpointTuple> {
    await this.settled();
    const all = async (saver: BaseCheckpointSaver): Promise<CheckpointTuple[]> => collect(saver.list(config, options));
    const [ours, reference] = await Promise.all([all(this.ours), all(this.#reference)]);
    const hasNamespace = config.configurable?.["checkpoint_ns"] !== undefined;
    const ordered = (tuples: readonly CheckpointTuple[]): unknown =>
      hasNamespace ? tuples.map(comparable) : inOneOrder(tuples.map(comparable));
    this.#compare("list", ordered(ours), ordered(reference));
    yield* ours;
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    return this.#store("put", [
      this.ours.put(config, checkpoint, metadata, newVersions),
      this.#reference.put(config, checkpoint, metadata, newVersions),
    ]);
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath?: string,
  ): Promise<void> {
    const into = (saver: BaseCheckpointSaver): Promise<void> =>
      (saver.putWrites as Checkpointer["putWrites"]).call(saver, config, writes, taskId, taskPath);
    return this.#store("putWrites", [into(this.ours), into(this.#reference)]);
  }

  override async deleteThread(threadId: string): Promise<void> {
    return this.#store("deleteThread", [this.ours.deleteThread(threadId), this.#reference.deleteThread(threadId)]);
  }

  override async getDeltaChannelHistory(options: {
    config: RunnableConfig;
    channels: string[];
  }): Promise<Record<string, DeltaChannelHistory>> {
    await this.settled();
    const [ours, reference] = await Promise.all([
      this.ours.getDeltaChannelHistory(options),
      this.#reference.getDeltaChannelHistory(options),
    ]);
    this.#compare("getDeltaChannelHistory", ours, reference);
    return ours;
  }

  /** Waits for what is being stored: what a read finds meanwhile is open. A graph that failed leaves some behind. */
  async settled(): Promise<void> {
    while (this.#storing.size > 0) await Promise.allSettled(this.#storing);
  }

  async #store<T>(call: string, calls: readonly [ours: Promise<T>, reference: Promise<T>]): Promise<T> {
    const both = Promise.allSettled(calls);
    this.#storing.add(both);
    const [ours, reference] = await both;
    this.#storing.delete(both);
    if (ours.status === "rejected") this.#compare(call, ours.reason, "stored");
    if (reference.status === "rejected") throw reference.reason;
    const [stored] = calls;
    this.#compare(call, comparableConfig(await stored), comparableConfig(reference.value));
    return stored;
  }

  #compare(call: string, ours: unknown, reference: unknown): void {
    const difference = firstDifference(ours, reference);
    if (difference === undefined) return;
    this.difference ??= { call, ...difference };
    throw new Error(`${call} differs from the reference at ${difference.path}`);
  }
}

/** What `put` returns says where; the others return nothing. */
function comparableConfig(stored: unknown): unknown {
  return stored === undefined ? undefined : place(stored as RunnableConfig);
}
