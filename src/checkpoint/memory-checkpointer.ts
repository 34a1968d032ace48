import { MemorySaver, RESUME, WRITES_IDX_MAP, copyCheckpoint, getCheckpointId } from "@langchain/langgraph-checkpoint";
import type {
  Checkpoint,
  CheckpointListOptions,
  CheckpointMetadata,
  CheckpointTuple,
  DeltaChannelHistory,
  PendingWrite,
  SerializerProtocol,
} from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { isOutputChannel, judgeAnswers, roundTripAnswers, taskKey } from "./answers.ts";
import type { AnswerFacts, TaskFacts } from "./answers.ts";
import { nextChannelVersion } from "./channel-version.ts";
import { Checkpointer } from "./checkpointer.ts";
import type { AnswerCommit, AnswerOutcome, LockOptions, RecordedAnswer, ThreadLock } from "./checkpointer.ts";
import { checkpointerClosed } from "./closed.ts";
import { assertGuard, commitPlace } from "./commit-guard.ts";
import type { CommitPlace } from "./commit-guard.ts";
import { isAtOrBelow } from "./namespaces.ts";
import { fromStored, toStored } from "./stored-value.ts";
import type { StoredValue } from "./stored-value.ts";
import { ThreadLocks } from "./thread-locks.ts";
import { EMPTY_RECORD } from "./thread-record.ts";
import type { ThreadRecord } from "./thread-record.ts";

/** What is kept of a thread beside LangGraph's own storage. */
interface MemoryThread {
  /** The newest checkpoint of each namespace: found at once, where MemorySaver sorts them all. */
  readonly heads: Map<string, string>;
  readonly answers: Map<string, { readonly value: StoredValue; readonly at: string }>;
  record: { readonly epoch: number; readonly value: StoredValue } | undefined;
  /** Counts the commits: work that had to wait for a serializer sees whether it is out of date. */
  commits: number;
}

/**
 * Threads in the memory of this process, gone with it: for tests and for work that need not last.
 * LangGraph's MemorySaver holds the checkpoints. What is to be stored is serialized first and then
 * checked and stored without a pause in between, which makes each commit atomic with no queue.
 */
export class MemoryCheckpointer extends Checkpointer {
  readonly description = "memory:";
  readonly shared = false;
  readonly #saver: MemorySaver;
  readonly #threads = new Map<string, MemoryThread>();
  readonly #locks = new ThreadLocks();
  #closed = false;

  constructor(options: { readonly serde?: SerializerProtocol | undefined } = {}) {
    super(options.serde);
    this.serde = rememberTypes(this.serde);
    this.#saver = new MemorySaver(this.serde);
  }

  override getNextVersion(current: number | undefined): number {
    return nextChannelVersion(current);
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    this.#assertOpen();
    const { thread_id, checkpoint_ns = "" } = config.configurable ?? {};
    const checkpoint_id = getCheckpointId(config) || this.#threads.get(thread_id)?.heads.get(checkpoint_ns);
    if (checkpoint_id === undefined) return undefined;
    // A config of its own: MemorySaver gives back the one it got, with whatever else is in it.
    return this.#saver.getTuple({ configurable: { thread_id, checkpoint_ns, checkpoint_id } });
  }

  override async *list(config: RunnableConfig, options?: CheckpointListOptions): AsyncGenerator<CheckpointTuple> {
    this.#assertOpen();
    yield* this.#saver.list(config, options);
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
  ): Promise<RunnableConfig> {
    this.#assertOpen();
    const place = commitPlace(config, "put");
    const { threadId, checkpointNs, checkpointId, guard } = place;
    const [[, checkpointBytes], [, metadataBytes]] = await Promise.all([
      this.serde.dumpsTyped(copyCheckpoint(checkpoint)),
      this.serde.dumpsTyped(metadata),
    ]);

    const store = (thread: MemoryThread): RunnableConfig => {
      const namespaces = (this.#saver.storage[threadId] ??= emptyObject());
      const checkpoints = (namespaces[checkpointNs] ??= emptyObject());
      checkpoints[checkpoint.id] = [checkpointBytes, metadataBytes, checkpointId];
      const head = thread.heads.get(checkpointNs);
      if (head === undefined || checkpoint.id > head) thread.heads.set(checkpointNs, checkpoint.id);
      thread.commits += 1;
      return { configurable: { thread_id: threadId, checkpoint_ns: checkpointNs, checkpoint_id: checkpoint.id } };
    };
    const thread = this.#guarded(place, "put");
    if (guard?.record === undefined) return store(thread);
    return this.#withChangedRecord(threadId, guard.record, (record) => {
      const now = this.#guarded(place, "put");
      now.record = record;
      return store(now);
    });
  }

  override async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    this.#assertOpen();
    const place = commitPlace(config, "putWrites");
    const dumped = await Promise.all(writes.map(([, value]) => this.serde.dumpsTyped(value)));

    const thread = this.#guarded(place, "putWrites");
    const stored = (this.#saver.writes[writesKey(place)] ??= emptyObject());
    for (const [position, [channel]] of writes.entries()) {
      const index = WRITES_IDX_MAP[channel] ?? position;
      const key = `${taskId},${index}`;
      if (index >= 0 && key in stored) continue;
      stored[key] = [taskId, channel, (dumped[position] as [string, Uint8Array])[1]];
    }
    thread.commits += 1;
  }

  override async deleteThread(threadId: string): Promise<void> {
    this.#assertOpen();
    await this.#saver.deleteThread(threadId);
    this.#threads.delete(threadId);
  }

  override async getDeltaChannelHistory(options: {
    config: RunnableConfig;
    channels: string[];
  }): Promise<Record<string, DeltaChannelHistory>> {
    this.#assertOpen();
    return this.#saver.getDeltaChannelHistory(options);
  }

  override async newestBelow(threadId: string, namespaces: readonly string[]): Promise<CheckpointTuple[]> {
    this.#assertOpen();
    const found: Promise<CheckpointTuple | undefined>[] = [];
    for (const checkpoint_ns of this.#threads.get(threadId)?.heads.keys() ?? []) {
      if (!namespaces.some((above) => isAtOrBelow(checkpoint_ns, above))) continue;
      found.push(this.getTuple({ configurable: { thread_id: threadId, checkpoint_ns } }));
    }
    return (await Promise.all(found)).filter((tuple) => tuple !== undefined);
  }

  override async readRecord(threadId: string): Promise<ThreadRecord | undefined> {
    this.#assertOpen();
    const record = this.#threads.get(threadId)?.record;
    return record && ((await fromStored(this.serde, record.value)) as ThreadRecord);
  }

  override async updateRecord(
    threadId: string,
    change: (record: ThreadRecord) => ThreadRecord,
  ): Promise<ThreadRecord> {
    this.#assertOpen();
    const stored = await this.#withChangedRecord(threadId, change, (record) => {
      const thread = this.#thread(threadId);
      thread.record = record;
      thread.commits += 1;
      return record;
    });
    return (await fromStored(this.serde, stored.value)) as ThreadRecord;
  }

  override async commitAnswers(threadId: string, commit: AnswerCommit): Promise<AnswerOutcome[]> {
    this.#assertOpen();
    const answers = await roundTripAnswers(this.serde, commit);
    for (;;) {
      const thread = this.#thread(threadId);
      const { commits } = thread;
      const { outcomes, accepted, resumes } = judgeAnswers(
        commit.headCheckpointId,
        answers,
        await this.#answerFacts(threadId, thread, commit),
      );
      const stored = await Promise.all(accepted.map(({ answer }) => toStored(this.serde, answer)));
      const resumeBytes = await Promise.all(resumes.map(({ value }) => toStored(this.serde, value)));
      const record =
        accepted.length > 0 && commit.record !== undefined
          ? await this.#withChangedRecord(threadId, commit.record, (changed) => changed)
          : undefined;

      this.#assertOpen();
      if (thread !== this.#threads.get(threadId) || thread.commits !== commits) continue;
      if (accepted.length === 0) return outcomes;
      const at = new Date().toISOString();
      for (const [position, { interruptId }] of accepted.entries()) {
        thread.answers.set(interruptId, { value: stored[position] as StoredValue, at });
      }
      for (const [position, { task }] of resumes.entries()) {
        const writes = (this.#saver.writes[writesKey({ threadId, ...task })] ??= emptyObject());
        const { bytes } = resumeBytes[position] as StoredValue;
        writes[`${task.taskId},${WRITES_IDX_MAP[RESUME]}`] = [task.taskId, RESUME, bytes];
      }
      if (record !== undefined) thread.record = record;
      thread.commits += 1;
      return outcomes;
    }
  }

  override async readAnswer(threadId: string, interruptId: string): Promise<RecordedAnswer | undefined> {
    this.#assertOpen();
    const found = this.#threads.get(threadId)?.answers.get(interruptId);
    return found && { interruptId, answer: await fromStored(this.serde, found.value), at: found.at };
  }

  override async lockThread(threadId: string, options: LockOptions): Promise<ThreadLock | undefined> {
    this.#assertOpen();
    return this.#locks.lock(threadId, options);
  }

  override async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#locks.close(checkpointerClosed(this.description));
    this.#threads.clear();
  }

  #assertOpen(): void {
    if (this.#closed) throw checkpointerClosed(this.description);
  }

  #thread(threadId: string): MemoryThread {
    let thread = this.#threads.get(threadId);
    if (thread === undefined) {
      thread = { heads: new Map(), answers: new Map(), record: undefined, commits: 0 };
      this.#threads.set(threadId, thread);
    }
    return thread;
  }

  #guarded(place: CommitPlace, method: "put" | "putWrites"): MemoryThread {
    this.#assertOpen();
    const thread = this.#thread(place.threadId);
    if (place.guard !== undefined) {
      assertGuard(place, method, { head: thread.heads.get(place.checkpointNs), epoch: thread.record?.epoch ?? 0 });
    }
    return thread;
  }

  /**
   * Serializes the record after a change and calls `commit` with it in the same instant in which it
   * saw that the stored record is still the one that was changed; else starts anew.
   */
  async #withChangedRecord<T>(
    threadId: string,
    change: (record: ThreadRecord) => ThreadRecord,
    commit: (record: NonNullable<MemoryThread["record"]>) => T,
  ): Promise<T> {
    for (;;) {
      const before = this.#threads.get(threadId)?.record;
      const after = change(
        before === undefined ? EMPTY_RECORD : ((await fromStored(this.serde, before.value)) as ThreadRecord),
      );
      const value = await toStored(this.serde, after);
      this.#assertOpen();
      if (this.#threads.get(threadId)?.record === before) return commit({ epoch: after.epoch, value });
    }
  }

  async #answerFacts(threadId: string, thread: MemoryThread, commit: AnswerCommit): Promise<AnswerFacts> {
    const head = thread.heads.get("");
    const answers = new Map<string, unknown>();
    const tasks = new Map<string, TaskFacts>();
    for (const { interruptId, task } of commit.answers) {
      const given = thread.answers.get(interruptId);
      if (given !== undefined) answers.set(interruptId, await fromStored(this.serde, given.value));
      if (task === undefined) continue;
      const writes = Object.values(this.#saver.writes[writesKey({ threadId, ...task })] ?? {});
      const own = writes.filter(([taskId]) => taskId === task.taskId);
      const resume = own.find(([, channel]) => channel === RESUME)?.[2];
      tasks.set(taskKey(task), {
        resume: resume && (await this.serde.loadsTyped("json", resume)),
        written: own.some(([, channel]) => isOutputChannel(channel)),
      });
    }
    return { head, answers, tasks };
  }
}

/** MemorySaver's key of the writes to one checkpoint. */
function writesKey(place: { threadId: string; checkpointNs: string; checkpointId?: string | undefined }): string {
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
      const copy = bytes.slice();
      types.set(copy, type);
      return [type, copy];
    },
    loadsTyped(type: string, data: Uint8Array | string) {
      return serde.loadsTyped(typeof data === "string" ? type : (types.get(data) ?? type), data);
    },
  };
}
