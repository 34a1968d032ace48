import { copyCheckpoint } from "@langchain/langgraph-checkpoint";
import type {
  BaseCheckpointSaver,
  ChannelVersions,
  Checkpoint,
  CheckpointListOptions,
  CheckpointMetadata,
  CheckpointTuple,
  PendingWrite,
  SerializerProtocol,
} from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { PerdureError } from "../../errors/index.ts";
import { roundTripAnswers } from "../answers.ts";
import { nextChannelVersion } from "../channel-version.ts";
import { Checkpointer } from "../checkpointer.ts";
import type {
  AnswerCommit,
  AnswerOutcome,
  LockOptions,
  RecordedAnswer,
  ThreadHead,
  ThreadLock,
} from "../checkpointer.ts";
import { checkpointerClosed } from "../closed.ts";
import { assertGuard, commitPlace } from "../commit-guard.ts";
import type { CommitPlace } from "../commit-guard.ts";
import type { OncePlace, TransactionSql } from "../../nodes/index.ts";
import { codeOf } from "../postgres-errors.ts";
import type { PruneOptions, PruneResult } from "../prune-options.ts";
import { SQL_STATE } from "../sql-state.ts";
import type { SqlDriver } from "../sql-driver.ts";
import { SqlOnce } from "../sql-once.ts";
import { assertThreadId, findsNothing } from "../stored-id.ts";
import type { ListPage, ListPageOptions, ListThreadsOptions, ListedInterrupt, ListedThread } from "../thread-lists.ts";
import { copyPlaces } from "../thread-copy.ts";
import { EMPTY_RECORD } from "../thread-record.ts";
import type { ThreadRecord } from "../thread-record.ts";
import { draftCheckpoint } from "./checkpoint-draft.ts";
import type { CheckpointDraft } from "./checkpoint-draft.ts";
import { CheckpointReader } from "./checkpoint-reader.ts";
import { CheckpointWriter } from "./checkpoint-writer.ts";
import type { Commit, Verdict } from "./commit.ts";
import { KnownCheckpoints } from "./known-checkpoints.ts";
import type { KnownCheckpoint } from "./known-checkpoints.ts";
import { KnownItems } from "./known-items.ts";
import { saverTables } from "./saver-tables.ts";
import { taskWrites } from "./task-writes.ts";
import { ThreadListing } from "./thread-listing.ts";
import { ThreadPruner } from "./thread-pruner.ts";
import { ThreadTransactions } from "./thread-transactions.ts";
import { ValueCodec } from "./value-codec.ts";

/** What a {@link PostgresCheckpointer} is made of. */
export interface PostgresCheckpointerParts {
  readonly driver: SqlDriver;
  readonly schema: string;
  readonly description: string;
  readonly shared: boolean;
  /** The caller's own serializer; LangGraph's when absent. */
  readonly serde?: SerializerProtocol | undefined;
  /** Of how many threads the newest checkpoint is remembered, so that the next one stores only what is new. */
  readonly cacheThreads: number;
  /** How many flushes may be under way at once. */
  readonly lanes: number;
  /** How long a commit waits for a thread that is locked; as long as it takes when absent. */
  readonly lockTimeoutMs?: number | undefined;
  /** How many transactions of once.tx may be open at once. */
  readonly onceAtOnce: number;
  readonly locks: {
    lock(threadId: string, options: LockOptions): Promise<ThreadLock | undefined>;
    close(): Promise<void>;
  };
  /** Frees what goes with the database, such as the lock on its directory; called once, after the rest. */
  readonly release?: () => void;
}

/** How many ancestors of a checkpoint are read at once. */
const ANCESTORS = 100;

/** So often a commit is prepared anew when the thread was changed under it. */
const MAX_DRAFTS = 10;

/**
 * Threads in Postgres, or in PGlite, which is Postgres too. Each thing is stored once: a list that grew adds
 * its tail, a channel that did not change adds nothing. The commits of all threads are gathered and stored
 * one statement at a time; each is judged against its thread's locked row.
 */
export class PostgresCheckpointer extends Checkpointer {
  readonly description: string;
  readonly shared: boolean;
  readonly #driver: SqlDriver;
  readonly #codec: ValueCodec;
  readonly #reader: CheckpointReader;
  readonly #writer: CheckpointWriter;
  readonly #listing: ThreadListing;
  readonly #pruner: ThreadPruner;
  readonly #transactions: ThreadTransactions;
  readonly #once: SqlOnce;
  readonly #known: KnownCheckpoints;
  readonly #items = new KnownItems();
  readonly #locks: PostgresCheckpointerParts["locks"];
  readonly #release: (() => void) | undefined;
  #lossesSeen = 0;
  #closing: Promise<void> | undefined;

  constructor(parts: PostgresCheckpointerParts) {
    super(parts.serde);
    const tables = saverTables(parts.schema);
    this.#codec = new ValueCodec(this.serde, { isPlain: parts.serde === undefined });
    this.serde = this.#codec.serde;
    this.description = parts.description;
    this.shared = parts.shared;
    this.#driver = parts.driver;
    this.#reader = new CheckpointReader(parts.driver, this.#codec, tables);
    this.#listing = new ThreadListing(parts.driver, this.#codec, tables);
    this.#writer = new CheckpointWriter(parts.driver, tables, parts);
    this.#transactions = new ThreadTransactions(parts.driver, this.#codec, tables);
    this.#pruner = new ThreadPruner({
      driver: parts.driver,
      codec: this.#codec,
      tables,
      tryLock: (threadId) => parts.locks.lock(threadId, { mode: "exclusive", wait: false }),
    });
    this.#once = new SqlOnce({
      driver: parts.driver,
      tables,
      atOnce: parts.onceAtOnce,
      countStored: (threadId, checkpoints) => this.#reader.countStored(threadId, checkpoints),
    });
    this.#known = new KnownCheckpoints(parts.cacheThreads);
    this.#locks = parts.locks;
    this.#release = parts.release;
  }

  override getNextVersion(current: number | undefined): number {
    return nextChannelVersion(current);
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    this.#assertOpen();
    const { thread_id: threadId, checkpoint_ns: ns = "", checkpoint_id: id } = config.configurable ?? {};
    if (threadId === undefined || findsNothing(threadId, ns, id)) return undefined;
    return this.#reader.tuple(threadId, ns, id || undefined);
  }

  override async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    this.#assertOpen();
    const { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: id } = config.configurable ?? {};
    const { before, limit, filter } = options;
    if (findsNothing(threadId, ns, id, before?.configurable?.["checkpoint_id"])) return;
    yield* this.#reader.list({
      threadId,
      ns,
      id: id || undefined,
      before: before?.configurable?.["checkpoint_id"],
      limit,
      filter,
    });
  }

  /** As LangGraph walks the ancestors, but reads many of them at once. */
  override async getDeltaChannelHistory(
    options: Parameters<BaseCheckpointSaver["getDeltaChannelHistory"]>[0],
  ): ReturnType<BaseCheckpointSaver["getDeltaChannelHistory"]> {
    this.#assertOpen();
    const read = new Map<string, CheckpointTuple>();
    const getTuple = async (config: RunnableConfig): Promise<CheckpointTuple | undefined> => {
      const { thread_id: threadId, checkpoint_ns: ns = "", checkpoint_id: id } = config.configurable ?? {};
      if (findsNothing(threadId, ns, id)) return undefined;
      const known = id && read.get(id);
      if (known) return known;
      const tuples = await this.#reader.ancestors(threadId, ns, id || undefined, ANCESTORS);
      for (const tuple of tuples) read.set(tuple.checkpoint.id, tuple);
      return tuples[0];
    };
    return super.getDeltaChannelHistory.call({ getTuple } as BaseCheckpointSaver, options);
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    this.#assertOpen();
    const place = commitPlace(config, "put", checkpoint.id);
    const { threadId, checkpointNs: ns, checkpointId: parentId } = place;
    const copy = copyCheckpoint(checkpoint);
    const draftOn = (parent: KnownCheckpoint | undefined): Promise<CheckpointDraft> =>
      draftCheckpoint({
        codec: this.#codec,
        items: this.#items,
        ns,
        parentId,
        checkpoint: copy,
        metadata,
        newVersions,
        parent,
        readParent: () => this.#before(place, copy, newVersions),
        readList: (known, ref) => this.#reader.listText(known.thread, ref),
      });
    // What was serialized when `put` was called stays, where it can: the graph may have changed the values since.
    const again = async (before: CheckpointDraft): Promise<CheckpointDraft> => {
      const now = await this.#before(place, copy, newVersions);
      return (now && (await before.rebased(now))) ?? (await draftOn(undefined));
    };
    let draft = await draftOn(parentId === undefined ? undefined : this.#remembered(threadId, ns, parentId));
    for (let drafts = 1; drafts <= MAX_DRAFTS; drafts += 1) {
      const stored = await this.#store(place, draft);
      if (typeof stored === "object") {
        // The next one stands on this one; who forks from the parent reads it again.
        if (parentId !== undefined) this.#known.delete(threadId, ns, parentId);
        this.#known.set(threadId, ns, copy.id, stored);
        return { configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: copy.id } };
      }
      draft = stored === "taken" ? await draft.moved() : await again(draft);
    }
    throw new PerdureError("CHECKPOINT_CONFLICT", `thread "${threadId}" was changed at each of ${MAX_DRAFTS} tries.`, {
      hint: "Somebody prunes it, or deletes and makes it again, all the time; nothing was stored. Try again.",
    });
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = "",
  ): Promise<void> {
    this.#assertOpen();
    const place = commitPlace(config, "putWrites", taskId);
    for (const [, value] of writes) this.#items.returned(value);
    const rows = await taskWrites(this.#codec, place, writes, { id: taskId, path: taskPath });
    const verdict = await this.#writer.add({
      threadId: place.threadId,
      condition: { basis: undefined, epoch: place.guard?.epoch, onHead: false },
      blobs: [],
      writes: rows,
    });
    if (!verdict.made) assertGuard(place, "putWrites", { head: undefined, epoch: verdict.epoch });
  }

  override async deleteThread(threadId: string): Promise<void> {
    this.#assertOpen();
    assertThreadId("deleteThread", threadId);
    await this.#transactions.deleteThread(threadId);
  }

  override async newestBelow(threadId: string, namespaces: readonly string[]): Promise<CheckpointTuple[]> {
    this.#assertOpen();
    const known = findsNothing(threadId) ? [] : namespaces.filter((ns) => !findsNothing(ns));
    return known.length === 0 ? [] : this.#reader.newestBelow(threadId, known);
  }

  override async readRecord(threadId: string): Promise<ThreadRecord | undefined> {
    this.#assertOpen();
    return findsNothing(threadId) ? undefined : this.#transactions.readRecord(threadId);
  }

  override async readThread(threadId: string): Promise<ThreadHead> {
    this.#assertOpen();
    return findsNothing(threadId) ? { tuple: undefined, record: undefined } : this.#reader.head(threadId);
  }

  override async updateRecord(threadId: string, change: (record: ThreadRecord) => ThreadRecord): Promise<ThreadRecord> {
    this.#assertOpen();
    assertThreadId("updateRecord", threadId);
    return this.#transactions.updateRecord(threadId, change);
  }

  override async commitAnswers(threadId: string, commit: AnswerCommit): Promise<AnswerOutcome[]> {
    this.#assertOpen();
    assertThreadId("commitAnswers", threadId);
    return this.#transactions.commitAnswers(threadId, commit, await roundTripAnswers(this.serde, commit));
  }

  override async readAnswer(threadId: string, interruptId: string): Promise<RecordedAnswer | undefined> {
    this.#assertOpen();
    return findsNothing(threadId, interruptId) ? undefined : this.#transactions.readAnswer(threadId, interruptId);
  }

  override async listThreads(options: ListThreadsOptions = {}): Promise<ListPage<ListedThread>> {
    this.#assertOpen();
    return this.#listing.threads(options);
  }

  override async listInterrupts(options: ListPageOptions = {}): Promise<ListPage<ListedInterrupt>> {
    this.#assertOpen();
    return this.#listing.interrupts(options);
  }

  override async prune(options: PruneOptions): Promise<PruneResult> {
    this.#assertOpen();
    return this.#pruner.prune(options);
  }

  override async copyThread(from: string, to: string): Promise<void> {
    this.#assertOpen();
    await this.#transactions.copyThread(...copyPlaces(from, to));
  }

  override async lockThread(threadId: string, options: LockOptions): Promise<ThreadLock | undefined> {
    this.#assertOpen();
    assertThreadId("lockThread", threadId);
    return this.#locks.lock(threadId, options);
  }

  override async commitOnce(place: OncePlace, work: (sql: TransactionSql) => Promise<unknown>): Promise<unknown> {
    this.#assertOpen();
    return this.#once.commit(place, work, this.serde);
  }

  override close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** After a failover the server may lack what was stored last, and what is remembered of it lies nowhere. */
  #remembered(threadId: string, ns: string, checkpointId: string): KnownCheckpoint | undefined {
    const { losses } = this.#driver;
    if (losses !== this.#lossesSeen) this.#known.clear();
    this.#lossesSeen = losses;
    return this.#known.get(threadId, ns, checkpointId);
  }

  /** What a checkpoint stands on. A copy of a thread's first checkpoint has no parent, but shares values with that one. */
  async #before(
    { threadId, checkpointNs: ns, checkpointId: parentId }: CommitPlace,
    { channel_values: values, channel_versions: versions }: Checkpoint,
    newVersions: ChannelVersions,
  ): Promise<KnownCheckpoint | undefined> {
    if (parentId !== undefined) return this.#reader.known(threadId, ns, parentId);
    const old = Object.keys(values).filter((channel) => channel in versions && !(channel in newVersions));
    if (old.length === 0) return undefined;
    const firsts = await this.#reader.firsts(threadId, ns);
    return firsts.find(({ refs, versions: of }) =>
      old.every((channel) => refs.has(channel) && of[channel] === versions[channel]),
    );
  }

  /**
   * @returns `taken` when somebody else went on from a list with items of their own, `gone` when what it stands on
   *   is not there any more; nothing is stored then
   */
  async #store(place: CommitPlace, draft: CheckpointDraft): Promise<KnownCheckpoint | "taken" | "gone"> {
    const { threadId, guard } = place;
    const commit: Commit = {
      threadId,
      condition: {
        basis: draft.basis,
        epoch: guard?.epoch,
        onHead: guard?.onHead === true && draft.row.ns === "",
      },
      checkpoint: draft.row,
      blobs: draft.blobs,
      writes: [],
    };
    let verdict: Verdict;
    try {
      verdict = await this.#commit(place, commit);
    } catch (error) {
      if (codeOf(error) === SQL_STATE.uniqueViolation) return "taken";
      throw error;
    }
    if (verdict.made) return draft.stored(verdict);
    assertGuard(place, "put", { head: verdict.head, epoch: verdict.epoch, next: draft.row.id });
    return "gone";
  }

  async #commit(place: CommitPlace, commit: Commit): Promise<Verdict> {
    const { guard } = place;
    const isRoot = commit.checkpoint?.ns === "";
    if (guard?.record === undefined && (guard?.onHead !== true || isRoot)) return this.#writer.add(commit);
    if (guard.record !== undefined && guard.onHead && isRoot && place.checkpointId === undefined) {
      const record = guard.record(EMPTY_RECORD);
      const stored = await this.#codec.dump(record);
      const verdict = await this.#writer.add({ ...commit, record: { epoch: record.epoch, stored } });
      if (verdict.made) return verdict;
    }
    return this.#transactions.putWith(place, commit, (client, alone) => this.#writer.flushOn(client, [alone]));
  }

  async #close(): Promise<void> {
    try {
      await this.#writer.settled();
      await this.#locks.close();
      await this.#driver.close();
    } finally {
      this.#release?.();
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw checkpointerClosed(this.description);
  }
}
