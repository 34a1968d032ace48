import { MemorySaver, copyCheckpoint, getCheckpointId } from "@langchain/langgraph-checkpoint";
import type {
  Checkpoint,
  CheckpointListOptions,
  CheckpointMetadata,
  CheckpointTuple,
  DeltaChannelHistory,
  SerializerProtocol,
} from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { isOutputChannel } from "./answers.ts";
import type { CommitPlace } from "./commit-guard.ts";
import type { CheckpointKey } from "./kept-checkpoints.ts";
import { LocalCheckpointer } from "./local-checkpointer.ts";
import type { StoredAnswer, StoredRecord, StoredWrite, WritesPlace } from "./local-rows.ts";
import { isAtOrBelow } from "./namespaces.ts";
import { MemoryItems } from "./store/memory-store.ts";
import { shareDatabase } from "./store/shared-database.ts";
import { findsNothing } from "./stored-id.ts";
import { refuseFunction } from "./strict-serializer.ts";

/** A checkpoint and its metadata, serialized. */
type PreparedCheckpoint = readonly [checkpoint: Uint8Array, metadata: Uint8Array];

/** What is kept of a thread beside LangGraph's own storage. */
interface MemoryThread {
  /** The newest checkpoint of each namespace: found at once, where MemorySaver sorts them all. */
  readonly heads: Map<string, string>;
  readonly answers: Map<string, StoredAnswer>;
  record: StoredRecord | undefined;
}

/**
 * Threads in the memory of this process, gone with it: for tests and for work that need not last.
 * LangGraph's MemorySaver holds and reads the checkpoints; they are put into its storage here,
 * because its own `put` waits for the serializer after it was called.
 */
export class MemoryCheckpointer extends LocalCheckpointer<PreparedCheckpoint> {
  readonly #saver: MemorySaver;
  readonly #threads = new Map<string, MemoryThread>();
  /** What stores that share this memory keep. */
  readonly #items = new MemoryItems();

  readonly #refusesFunctions: boolean;

  /** @param serde The caller's own serializer; LangGraph's when absent. */
  constructor(serde?: SerializerProtocol) {
    super("memory:", serde);
    this.#refusesFunctions = serde === undefined;
    this.serde = rememberTypes(this.serde);
    this.#saver = new MemorySaver(this.serde);
    shareDatabase(this, () => ({ kind: "memory", items: this.#items }));
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    this.assertOpen();
    const { thread_id, checkpoint_ns = "" } = config.configurable ?? {};
    const checkpoint_id = getCheckpointId(config) || this.#threads.get(thread_id)?.heads.get(checkpoint_ns);
    if (checkpoint_id === undefined) return undefined;
    // A config of its own: MemorySaver gives back the one it got, with whatever else is in it.
    return this.#saver.getTuple({ configurable: { thread_id, checkpoint_ns, checkpoint_id } });
  }

  override async *list(config: RunnableConfig, options?: CheckpointListOptions): AsyncGenerator<CheckpointTuple> {
    this.assertOpen();
    if (findsNothing(options?.before?.configurable?.["checkpoint_id"])) return;
    yield* this.#saver.list(config, options);
  }

  override async getDeltaChannelHistory(options: {
    config: RunnableConfig;
    channels: string[];
  }): Promise<Record<string, DeltaChannelHistory>> {
    this.assertOpen();
    return this.#saver.getDeltaChannelHistory(options);
  }

  override async newestBelow(threadId: string, namespaces: readonly string[]): Promise<CheckpointTuple[]> {
    this.assertOpen();
    const found: Promise<CheckpointTuple | undefined>[] = [];
    for (const checkpoint_ns of this.#threads.get(threadId)?.heads.keys() ?? []) {
      if (!namespaces.some((above) => isAtOrBelow(checkpoint_ns, above))) continue;
      found.push(this.getTuple({ configurable: { thread_id: threadId, checkpoint_ns } }));
    }
    return (await Promise.all(found)).filter((tuple) => tuple !== undefined);
  }

  protected override async prepareCheckpoint(
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
  ): Promise<PreparedCheckpoint> {
    if (this.#refusesFunctions) {
      for (const [channel, value] of Object.entries(checkpoint.channel_values)) refuseFunction(value, [channel]);
    }
    const [[, checkpointBytes], [, metadataBytes]] = await Promise.all([
      this.serde.dumpsTyped(copyCheckpoint(checkpoint)),
      this.serde.dumpsTyped(metadata),
    ]);
    return [checkpointBytes, metadataBytes];
  }

  protected override atomically<T>(work: () => T): T {
    return work();
  }

  protected override readThreadIds(): readonly string[] {
    return Object.keys(this.#saver.storage);
  }

  protected override readHead(threadId: string, checkpointNs: string): string | undefined {
    return this.#threads.get(threadId)?.heads.get(checkpointNs);
  }

  protected override readStoredRecord(threadId: string): StoredRecord | undefined {
    return this.#threads.get(threadId)?.record;
  }

  protected override readStoredAnswer(threadId: string, interruptId: string): StoredAnswer | undefined {
    return this.#threads.get(threadId)?.answers.get(interruptId);
  }

  protected override readTaskWrites(place: WritesPlace, taskId: string): StoredWrite[] {
    const found: StoredWrite[] = [];
    for (const [key, [writer, channel, bytes]] of Object.entries(this.#saver.writes[writesKey(place)] ?? {})) {
      if (writer !== taskId) continue;
      found.push({ index: Number(key.slice(key.lastIndexOf(",") + 1)), channel, value: { type: "json", bytes } });
    }
    return found;
  }

  /** By key: going through all writes of the superstep would make a wide one quadratic. */
  protected override hasResult(place: WritesPlace, taskId: string, writes: readonly StoredWrite[]): boolean {
    const stored = this.#saver.writes[writesKey(place)];
    return writes.some(({ index }) => {
      const channel = index < 0 ? undefined : stored?.[`${taskId},${index}`]?.[1];
      return channel !== undefined && isOutputChannel(channel);
    });
  }

  protected override storeCheckpoint(place: CommitPlace, id: string, prepared: PreparedCheckpoint): void {
    const { threadId, checkpointNs, checkpointId } = place;
    const namespaces = (this.#saver.storage[threadId] ??= emptyObject());
    const checkpoints = (namespaces[checkpointNs] ??= emptyObject());
    // Durability "exit" puts a checkpoint on top of itself.
    checkpoints[id] = [...prepared, checkpointId === id ? checkpoints[id]?.[2] : checkpointId];
    const { heads } = this.#thread(threadId);
    const head = heads.get(checkpointNs);
    if (head === undefined || id > head) heads.set(checkpointNs, id);
  }

  protected override storeWrites(place: WritesPlace, taskId: string, writes: readonly StoredWrite[]): void {
    const stored = (this.#saver.writes[writesKey(place)] ??= emptyObject());
    for (const { index, channel, value, taskPath = "" } of writes) {
      const key = `${taskId},${index}`;
      if (index >= 0 && key in stored) continue;
      // MemorySaver reads the path since LangGraph 1.5, and leaves it alone before.
      stored[key] = [taskId, channel, value.bytes, taskPath] as unknown as (typeof stored)[string];
    }
  }

  protected override storeRecord(threadId: string, record: StoredRecord): void {
    this.#thread(threadId).record = record;
  }

  protected override storeAnswer(threadId: string, interruptId: string, answer: StoredAnswer): void {
    this.#thread(threadId).answers.set(interruptId, answer);
  }

  protected override removeThread(threadId: string): void {
    this.#threads.delete(threadId);
    delete this.#saver.storage[threadId];
    const itsWrites = `[${JSON.stringify(threadId)},`;
    for (const key of Object.keys(this.#saver.writes)) if (key.startsWith(itsWrites)) delete this.#saver.writes[key];
  }

  protected override removeCheckpoints(threadId: string, gone: readonly CheckpointKey[]): void {
    const namespaces = this.#saver.storage[threadId] ?? {};
    for (const { ns, id } of gone) {
      const checkpoints = namespaces[ns];
      if (checkpoints === undefined) continue;
      delete checkpoints[id];
      delete this.#saver.writes[writesKey({ threadId, checkpointNs: ns, checkpointId: id })];
      if (Object.keys(checkpoints).length > 0) continue;
      delete namespaces[ns];
      this.#threads.get(threadId)?.heads.delete(ns);
    }
  }

  protected override copyRows(from: string, to: string): void {
    const namespaces = (this.#saver.storage[to] ??= emptyObject());
    for (const [ns, checkpoints] of Object.entries(this.#saver.storage[from] ?? {})) {
      namespaces[ns] = Object.assign(emptyObject<typeof checkpoints>(), checkpoints);
    }
    for (const [key, writes] of Object.entries(this.#saver.writes)) {
      const [threadId, checkpointNs, checkpointId] = JSON.parse(key) as [string, string, string];
      if (threadId !== from) continue;
      const copy = Object.assign(emptyObject<typeof writes>(), writes);
      this.#saver.writes[writesKey({ threadId: to, checkpointNs, checkpointId })] = copy;
    }
    const { heads, answers } = this.#thread(from);
    this.#threads.set(to, { heads: new Map(heads), answers: new Map(answers), record: undefined });
  }

  protected override releaseStore(): void {
    this.#items.close();
    this.#threads.clear();
  }

  #thread(threadId: string): MemoryThread {
    let thread = this.#threads.get(threadId);
    if (thread === undefined) {
      thread = { heads: new Map(), answers: new Map(), record: undefined };
      this.#threads.set(threadId, thread);
    }
    return thread;
  }
}

/** MemorySaver's key of the writes to one checkpoint. */
function writesKey(place: WritesPlace): string {
  return JSON.stringify([place.threadId, place.checkpointNs, place.checkpointId]);
}

/** No prototype, as in MemorySaver: no key can reach one. */
function emptyObject<T extends object>(): T {
  return Object.create(null) as T;
}

/**
 * MemorySaver reads everything back as `json`, whatever the serializer said, so bytes written to a
 * channel would not come back. This one remembers the type of what is not `json`.
 */
function rememberTypes(serde: SerializerProtocol): SerializerProtocol {
  const types = new WeakMap<Uint8Array, string>();
  return {
    async dumpsTyped(value: unknown) {
      const [type, bytes] = await serde.dumpsTyped(value);
      if (type === "json") return [type, bytes];
      // A Buffer's own `slice` would share the memory with a serializer that writes to it again.
      const copy = new Uint8Array(bytes);
      types.set(copy, type);
      return [type, copy];
    },
    loadsTyped(type: string, data: Uint8Array | string) {
      const own = typeof data === "string" ? undefined : types.get(data);
      if (typeof data === "string" || own === undefined) return serde.loadsTyped(type, data);
      // Bytes come back as they are: whoever changes what was read must not change what is stored.
      return serde.loadsTyped(own, new Uint8Array(data));
    },
  };
}
