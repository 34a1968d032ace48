import { RESUME, WRITES_IDX_MAP } from "@langchain/langgraph-checkpoint";
import type {
  ChannelVersions,
  Checkpoint,
  CheckpointMetadata,
  PendingWrite,
  SerializerProtocol,
} from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { isOutputChannel, judgeAnswers, roundTripAnswers, taskKey } from "./answers.ts";
import type { AnswerFacts, TaskFacts } from "./answers.ts";
import { nextChannelVersion } from "./channel-version.ts";
import { Checkpointer } from "./checkpointer.ts";
import type {
  AnswerCommit,
  AnswerOutcome,
  AnswerToCommit,
  LockOptions,
  RecordedAnswer,
  ThreadLock,
} from "./checkpointer.ts";
import { checkpointerClosed } from "./closed.ts";
import { assertGuard, commitPlace } from "./commit-guard.ts";
import type { CommitPlace } from "./commit-guard.ts";
import { timeOfCheckpoint } from "./checkpoint-time.ts";
import type { CheckpointKey } from "./kept-checkpoints.ts";
import { pageOf } from "./local-page.ts";
import type { KeptCheckpoint, StoredAnswer, StoredRecord, StoredWrite, WritesPlace } from "./local-rows.ts";
import { openInterruptsOf } from "./open-interrupts.ts";
import { planPruning } from "./plan-pruning.ts";
import { prunePlan } from "./prune-options.ts";
import type { PruneOptions, PrunePlan, PruneResult } from "./prune-options.ts";
import { isStagingId } from "./staging-thread.ts";
import { assertThreadId, findsNothing } from "./stored-id.ts";
import { fromStored, toStored } from "./stored-value.ts";
import type { StoredValue } from "./stored-value.ts";
import { strictSerializer } from "./strict-serializer.ts";
import { parseListOptions } from "./thread-lists.ts";
import type { ListPage, ListPageOptions, ListThreadsOptions, ListedInterrupt, ListedThread } from "./thread-lists.ts";
import { copyPlaces, threadExists, threadNotFound } from "./thread-copy.ts";
import { ThreadLocks } from "./thread-locks.ts";
import { EMPTY_RECORD, recordOfCopy } from "./thread-record.ts";
import type { ThreadRecord } from "./thread-record.ts";

/**
 * A checkpointer whose store answers at once, without a promise, and belongs to this process alone:
 * memory, or a file. Only serializers take time. So a commit is prepared first, and then checked and
 * stored without a pause in between; what was prepared from stored values is prepared anew when the
 * thread got another commit meanwhile. No queue is needed.
 *
 * @typeParam Prepared A checkpoint as the store wants it.
 */
export abstract class LocalCheckpointer<Prepared> extends Checkpointer {
  readonly description: string;
  readonly shared = false;
  readonly #locks = new ThreadLocks();
  /** The preparations under way, by thread; a commit tells them that they are out of date. */
  readonly #preparations = new Map<string, Set<{ outdated: boolean }>>();
  #closed = false;

  /** @param serde The caller's own serializer; LangGraph's when absent. */
  constructor(description: string, serde: SerializerProtocol | undefined) {
    super(serde);
    // What a serializer of the caller can store is its own business.
    if (serde === undefined) this.serde = strictSerializer(this.serde);
    this.description = description;
  }

  /** Serializes a checkpoint. */
  protected abstract prepareCheckpoint(
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<Prepared>;
  /** Runs `work`, all of it or nothing. */
  protected abstract atomically<T>(work: () => T): T;
  /** The threads that have checkpoints, in the order in which they began. */
  protected abstract readThreadIds(): readonly string[];
  protected abstract readHead(threadId: string, checkpointNs: string): string | undefined;
  protected abstract readStoredRecord(threadId: string): StoredRecord | undefined;
  protected abstract readStoredAnswer(threadId: string, interruptId: string): StoredAnswer | undefined;
  protected abstract readTaskWrites(place: WritesPlace, taskId: string): readonly StoredWrite[];
  /** Whether the task already has one of the writes of its result at the place of one of these. */
  protected abstract hasResult(place: WritesPlace, taskId: string, writes: readonly StoredWrite[]): boolean;
  protected abstract storeCheckpoint(place: CommitPlace, checkpointId: string, prepared: Prepared): void;
  /** Stores writes; those with a negative index replace, the others only where there is none yet. */
  protected abstract storeWrites(place: WritesPlace, taskId: string, writes: readonly StoredWrite[]): void;
  protected abstract storeRecord(threadId: string, record: StoredRecord): void;
  protected abstract storeAnswer(threadId: string, interruptId: string, answer: StoredAnswer): void;
  /** Removes everything of a thread. */
  protected abstract removeThread(threadId: string): void;
  /** Removes checkpoints with their writes, and what none of those that stay refers to. */
  protected abstract removeCheckpoints(
    threadId: string,
    gone: readonly CheckpointKey[],
    kept: readonly KeptCheckpoint[],
  ): void;
  /** Copies everything of a thread but its record to one that is not there yet. */
  protected abstract copyRows(from: string, to: string): void;
  /** Frees the store; called once. */
  protected abstract releaseStore(): void;

  override getNextVersion(current: number | undefined): number {
    return nextChannelVersion(current);
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    this.assertOpen();
    const place = commitPlace(config, "put", checkpoint.id);
    const { threadId, checkpointNs, guard } = place;
    const { id } = checkpoint;
    const prepared = await this.prepareCheckpoint(checkpoint, metadata, newVersions);
    const change = guard?.record;
    if (change === undefined) {
      this.#commit(threadId, () => {
        this.#assertGuard(place, "put", id);
        this.storeCheckpoint(place, id, prepared);
      });
    } else {
      await this.#prepareAndCommit(threadId, async () => {
        this.#assertGuard(place, "put", id);
        const record = await this.#changedRecord(threadId, change);
        return () => {
          this.storeRecord(threadId, record);
          this.storeCheckpoint(place, id, prepared);
        };
      });
    }
    return { configurable: { thread_id: threadId, checkpoint_ns: checkpointNs, checkpoint_id: id } };
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = "",
  ): Promise<void> {
    this.assertOpen();
    const place = commitPlace(config, "putWrites", taskId);
    const stored = await Promise.all(
      writes.map(async ([channel, value], position): Promise<StoredWrite> => {
        const [type, bytes] = await this.serde.dumpsTyped(value);
        return { index: WRITES_IDX_MAP[channel] ?? position, channel, value: { type, bytes }, taskPath };
      }),
    );
    this.#commit(place.threadId, () => {
      this.#assertGuard(place, "putWrites");
      // Of a task that was run twice the first result stands, whole: the second may have other writes (I2).
      const isRepeated = place.guard !== undefined && this.hasResult(place as WritesPlace, taskId, stored);
      this.storeWrites(place as WritesPlace, taskId, isRepeated ? stored.filter(({ index }) => index < 0) : stored);
    });
  }

  override async deleteThread(threadId: string): Promise<void> {
    assertThreadId("deleteThread", threadId);
    this.#commit(threadId, () => this.removeThread(threadId));
  }

  override async readRecord(threadId: string): Promise<ThreadRecord | undefined> {
    this.assertOpen();
    if (findsNothing(threadId)) return undefined;
    const record = this.readStoredRecord(threadId);
    return record && ((await fromStored(this.serde, record.value)) as ThreadRecord);
  }

  override async updateRecord(threadId: string, change: (record: ThreadRecord) => ThreadRecord): Promise<ThreadRecord> {
    assertThreadId("updateRecord", threadId);
    const stored = await this.#prepareAndCommit(threadId, async () => {
      const record = await this.#changedRecord(threadId, change);
      return () => {
        this.storeRecord(threadId, record);
        return record;
      };
    });
    return (await fromStored(this.serde, stored.value)) as ThreadRecord;
  }

  override async commitAnswers(threadId: string, commit: AnswerCommit): Promise<AnswerOutcome[]> {
    this.assertOpen();
    assertThreadId("commitAnswers", threadId);
    const answers = await roundTripAnswers(this.serde, commit);
    return this.#prepareAndCommit(threadId, async () => {
      const facts = await this.#answerFacts(threadId, answers);
      const { outcomes, accepted, resumes } = judgeAnswers(commit.headCheckpointId, answers, facts);
      if (accepted.length === 0) return () => outcomes;
      const [values, resumeValues, record] = await Promise.all([
        Promise.all(accepted.map(({ answer }) => toStored(this.serde, answer))),
        Promise.all(resumes.map(({ value }) => toStored(this.serde, value))),
        commit.record && this.#changedRecord(threadId, commit.record),
      ]);
      return () => {
        const at = new Date().toISOString();
        for (const [position, { interruptId }] of accepted.entries()) {
          this.storeAnswer(threadId, interruptId, { value: values[position] as StoredValue, at });
        }
        for (const [position, { task }] of resumes.entries()) {
          const value = resumeValues[position] as StoredValue;
          const write = { index: WRITES_IDX_MAP[RESUME] as number, channel: RESUME, value };
          this.storeWrites({ threadId, ...task }, task.taskId, [write]);
        }
        if (record !== undefined) this.storeRecord(threadId, record);
        return outcomes;
      };
    });
  }

  override async readAnswer(threadId: string, interruptId: string): Promise<RecordedAnswer | undefined> {
    this.assertOpen();
    if (findsNothing(threadId, interruptId)) return undefined;
    const found = this.readStoredAnswer(threadId, interruptId);
    return found && { interruptId, answer: await fromStored(this.serde, found.value), at: found.at };
  }

  override async listThreads(options: ListThreadsOptions = {}): Promise<ListPage<ListedThread>> {
    this.assertOpen();
    const { interrupted, ...page } = parseListOptions("listThreads", options);
    const threads: ListedThread[] = [];
    for (const threadId of this.#listedThreadIds().toReversed()) {
      const openInterrupts = (await this.#openInterrupts(threadId)).length;
      if (interrupted && openInterrupts === 0) continue;
      const checkpointId = this.readHead(threadId, "");
      const updatedAt = checkpointId === undefined ? undefined : timeOfCheckpoint(checkpointId);
      threads.push({
        threadId,
        openInterrupts,
        ...(checkpointId === undefined ? {} : { checkpointId }),
        ...(updatedAt === undefined ? {} : { updatedAt }),
      });
    }
    return pageOf("listThreads", threads, page);
  }

  override async listInterrupts(options: ListPageOptions = {}): Promise<ListPage<ListedInterrupt>> {
    this.assertOpen();
    const page = parseListOptions("listInterrupts", options);
    const open = await Promise.all(this.#listedThreadIds().map((threadId) => this.#openInterrupts(threadId)));
    return pageOf(
      "listInterrupts",
      open.flat().toSorted((one, other) => (one.askedAt < other.askedAt ? -1 : Number(one.askedAt > other.askedAt))),
      page,
    );
  }

  override async prune(options: PruneOptions): Promise<PruneResult> {
    this.assertOpen();
    const plan = prunePlan(options);
    let threads = 0;
    let checkpoints = 0;
    for (const threadId of this.#listedThreadIds(plan.threadId)) {
      const lock = plan.remove && (await this.lockThread(threadId, { mode: "exclusive", wait: false }));
      try {
        const removed = await this.#pruneThread(threadId, { ...plan, remove: lock && plan.remove });
        threads += removed.threads;
        checkpoints += removed.checkpoints;
      } finally {
        await lock?.release();
      }
    }
    return { threads, checkpoints };
  }

  override async copyThread(...places: [from: string, to: string]): Promise<void> {
    this.assertOpen();
    const [from, to] = copyPlaces(...places);
    await this.#prepareAndCommit(from, async () => {
      const record = await this.readRecord(from);
      const copy = record && { epoch: 0, value: await toStored(this.serde, recordOfCopy(record)) };
      return () => {
        if (!this.#isThere(from)) throw threadNotFound(from);
        if (this.#isThere(to)) throw threadExists(to);
        this.copyRows(from, to);
        if (copy !== undefined) this.storeRecord(to, copy);
        for (const preparation of this.#preparations.get(to) ?? []) preparation.outdated = true;
      };
    });
  }

  override async lockThread(threadId: string, options: LockOptions): Promise<ThreadLock | undefined> {
    this.assertOpen();
    assertThreadId("lockThread", threadId);
    return this.#locks.lock(threadId, options);
  }

  override async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#locks.close(checkpointerClosed(this.description));
    this.releaseStore();
  }

  /** Throws CHECKPOINTER_CLOSED after `close`. */
  protected assertOpen(): void {
    if (this.#closed) throw checkpointerClosed(this.description);
  }

  /** The threads that there are for others, or one of them: not those of imports under way. */
  #listedThreadIds(only?: string): readonly string[] {
    return (only === undefined ? this.readThreadIds() : [only]).filter((threadId) => !isStagingId(threadId));
  }

  async #openInterrupts(threadId: string): Promise<ListedInterrupt[]> {
    return openInterruptsOf(threadId, await this.newestBelow(threadId, [""]));
  }

  #isThere(threadId: string): boolean {
    return this.readStoredRecord(threadId) !== undefined || this.readThreadIds().includes(threadId);
  }

  #pruneThread(threadId: string, plan: PrunePlan): Promise<PruneResult> {
    return this.#prepareAndCommit(threadId, async () => {
      const pruning = await planPruning(this.list({ configurable: { thread_id: threadId } }), plan);
      return () => {
        if (pruning.kind === "whole") this.removeThread(threadId);
        if (pruning.kind === "some") this.removeCheckpoints(threadId, pruning.gone, pruning.kept);
        return pruning.result;
      };
    });
  }

  #assertGuard(place: CommitPlace, method: "put" | "putWrites", next?: string): void {
    const { threadId, checkpointNs, guard } = place;
    if (guard === undefined) return;
    const head = guard.onHead ? this.readHead(threadId, checkpointNs) : undefined;
    const epoch = this.readStoredRecord(threadId)?.epoch ?? 0;
    assertGuard(place, method, { head, epoch, ...(next === undefined ? {} : { next }) });
  }

  #commit<T>(threadId: string, work: () => T): T {
    this.assertOpen();
    const result = this.atomically(work);
    for (const preparation of this.#preparations.get(threadId) ?? []) preparation.outdated = true;
    return result;
  }

  /** Calls what `prepare` returned in a commit, if the thread is then as it was when `prepare` began; else anew. */
  async #prepareAndCommit<T>(threadId: string, prepare: () => Promise<() => T>): Promise<T> {
    for (;;) {
      this.assertOpen();
      const preparation = { outdated: false };
      const others = this.#preparations.get(threadId) ?? new Set();
      this.#preparations.set(threadId, others.add(preparation));
      try {
        const work = await prepare();
        if (!preparation.outdated) return this.#commit(threadId, work);
      } finally {
        others.delete(preparation);
        if (others.size === 0) this.#preparations.delete(threadId);
      }
    }
  }

  async #changedRecord(threadId: string, change: (record: ThreadRecord) => ThreadRecord): Promise<StoredRecord> {
    const record = change((await this.readRecord(threadId)) ?? EMPTY_RECORD);
    return { epoch: record.epoch, value: await toStored(this.serde, record) };
  }

  async #answerFacts(threadId: string, asked: readonly AnswerToCommit[]): Promise<AnswerFacts> {
    const head = this.readHead(threadId, "");
    const answers = new Map<string, unknown>();
    const tasks = new Map<string, TaskFacts>();
    for (const { interruptId, task } of asked) {
      const given = this.readStoredAnswer(threadId, interruptId);
      if (given !== undefined) answers.set(interruptId, await fromStored(this.serde, given.value));
      if (task === undefined) continue;
      const writes = this.readTaskWrites({ threadId, ...task }, task.taskId);
      const resume = writes.find(({ channel }) => channel === RESUME);
      tasks.set(taskKey(task), {
        resume: resume && (await fromStored(this.serde, resume.value)),
        written: writes.some(({ channel }) => isOutputChannel(channel)),
      });
    }
    return { head, answers, tasks };
  }
}
