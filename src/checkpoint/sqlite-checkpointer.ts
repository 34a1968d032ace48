import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import { TASKS, getCheckpointId, maxChannelVersion } from "@langchain/langgraph-checkpoint";
import type {
  ChannelVersions,
  Checkpoint,
  CheckpointListOptions,
  CheckpointMetadata,
  CheckpointPendingWrite,
  CheckpointTuple,
  SerializerProtocol,
} from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { isOutputChannel } from "./answers.ts";
import type { CommitPlace } from "./commit-guard.ts";
import type { CheckpointKey } from "./kept-checkpoints.ts";
import { LocalCheckpointer } from "./local-checkpointer.ts";
import type { KeptCheckpoint, StoredAnswer, StoredRecord, StoredWrite, WritesPlace } from "./local-rows.ts";
import { findsNothing } from "./stored-id.ts";
import { COPIED_COLUMNS, THREAD_TABLES } from "./sqlite-tables.ts";
import { fromStored, toStored } from "./stored-value.ts";
import type { StoredValue } from "./stored-value.ts";

/** A checkpoint in parts: a channel is stored once for each of its versions. */
interface PreparedCheckpoint {
  readonly checkpoint: StoredValue;
  readonly metadata: StoredValue;
  readonly channels: readonly { readonly channel: string; readonly version: string; readonly value: StoredValue }[];
}

/** A checkpoint as its row has it. */
interface StoredCheckpoint extends Omit<Checkpoint, "channel_values"> {
  /** Channels that it leaves out, though an older one has a value of their version. */
  readonly absent?: readonly string[];
}

interface CheckpointRow {
  readonly thread_id: string;
  readonly checkpoint_ns: string;
  readonly checkpoint_id: string;
  readonly parent_id: string | null;
  readonly checkpoint_type: string;
  readonly checkpoint: Uint8Array;
  readonly metadata_type: string;
  readonly metadata: Uint8Array;
}

type TypedRow = { readonly type: string; readonly value: Uint8Array };
type WriteRow = TypedRow & { readonly task_id: string; readonly idx: number; readonly channel: string };

/** What goes with the database of a {@link SqliteCheckpointer}. */
export interface SqliteParts {
  readonly description: string;
  /** Frees what goes with the file, such as its lock. */
  readonly release: () => void;
  /** The caller's own serializer; LangGraph's when absent. */
  readonly serde?: SerializerProtocol | undefined;
}

/**
 * Threads in a file of SQLite, through the module that Node brings along. One process at a time has
 * the file; what a commit stored is on the disk when the call returns.
 */
export class SqliteCheckpointer extends LocalCheckpointer<PreparedCheckpoint> {
  readonly #database: DatabaseSync;
  readonly #release: () => void;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, { description, release, serde }: SqliteParts) {
    super(description, serde);
    this.#database = database;
    this.#release = release;
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    this.assertOpen();
    const { thread_id, checkpoint_ns = "" } = config.configurable ?? {};
    if (thread_id === undefined || findsNothing(thread_id, checkpoint_ns)) return undefined;
    const id = getCheckpointId(config) || this.readHead(thread_id, checkpoint_ns);
    if (id === undefined || findsNothing(id)) return undefined;
    const row = this.#row(thread_id, checkpoint_ns, id);
    return row && this.#tuple(row);
  }

  override async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    this.assertOpen();
    const { thread_id, checkpoint_ns, checkpoint_id } = config.configurable ?? {};
    const wanted: [condition: string, value: string | undefined][] = [
      ["thread_id = ?", thread_id],
      ["checkpoint_ns = ?", checkpoint_ns],
      ["checkpoint_id = ?", checkpoint_id],
      ["checkpoint_id < ?", options.before?.configurable?.["checkpoint_id"]],
    ];
    if (findsNothing(...wanted.map(([, value]) => value))) return;
    const given = wanted.filter((entry): entry is [string, string] => entry[1] !== undefined);
    const rows = this.#all<CheckpointRow>(
      `SELECT * FROM checkpoints WHERE ${["TRUE", ...given.map(([condition]) => condition)].join(" AND ")}
        ORDER BY checkpoint_id DESC`,
      given.map(([, value]) => value),
    );
    let left = options.limit ?? Infinity;
    for (const row of rows) {
      if (left <= 0) return;
      if (!(await this.#matches(row, options.filter))) continue;
      left -= 1;
      yield await this.#tuple(row);
    }
  }

  override async newestBelow(threadId: string, namespaces: readonly string[]): Promise<CheckpointTuple[]> {
    this.assertOpen();
    const found = new Map<string, Promise<CheckpointTuple | undefined>>();
    for (const above of namespaces) {
      if (findsNothing(threadId, above)) continue;
      // "}" comes right after "|": the range holds what begins with `above|`, and reads nothing else.
      const rows = this.#all<{ checkpoint_ns: string }>(
        `SELECT DISTINCT checkpoint_ns FROM checkpoints WHERE thread_id = ?1
           AND (?2 = '' OR checkpoint_ns = ?2 OR (checkpoint_ns > ?2 || '|' AND checkpoint_ns < ?2 || '}'))`,
        [threadId, above],
      );
      for (const { checkpoint_ns } of rows) {
        found.set(checkpoint_ns, this.getTuple({ configurable: { thread_id: threadId, checkpoint_ns } }));
      }
    }
    return (await Promise.all(found.values())).filter((tuple) => tuple !== undefined);
  }

  protected override async prepareCheckpoint(
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<PreparedCheckpoint> {
    const { channel_values: values, ...rest } = checkpoint;
    const absent = Object.keys(rest.channel_versions).filter(
      (channel) => !Object.hasOwn(values, channel) && !(channel in newVersions),
    );
    const changed = Object.entries(newVersions).filter(([channel]) => Object.hasOwn(values, channel));
    const [storedCheckpoint, storedMetadata, ...stored] = await Promise.all([
      toStored(this.serde, { ...rest, absent } satisfies StoredCheckpoint),
      toStored(this.serde, metadata),
      ...changed.map(([channel]) => toStored(this.serde, values[channel])),
    ]);
    const channels = changed.map(([channel, version], position) => ({
      channel,
      version: String(version),
      value: stored[position] as StoredValue,
    }));
    return { checkpoint: storedCheckpoint, metadata: storedMetadata, channels };
  }

  protected override atomically<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  protected override readThreadIds(): readonly string[] {
    return this.#all<{ thread_id: string }>(
      "SELECT thread_id FROM checkpoints GROUP BY thread_id ORDER BY min(rowid)",
      [],
    ).map((row) => row.thread_id);
  }

  protected override readHead(threadId: string, checkpointNs: string): string | undefined {
    return this.#get<{ checkpoint_id: string }>(
      "SELECT checkpoint_id FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ? ORDER BY checkpoint_id DESC LIMIT 1",
      [threadId, checkpointNs],
    )?.checkpoint_id;
  }

  protected override readStoredRecord(threadId: string): StoredRecord | undefined {
    const row = this.#get<TypedRow & { epoch: number }>(
      "SELECT epoch, record_type AS type, record AS value FROM threads WHERE thread_id = ?",
      [threadId],
    );
    return row && { epoch: row.epoch, value: storedValue(row) };
  }

  protected override readStoredAnswer(threadId: string, interruptId: string): StoredAnswer | undefined {
    const row = this.#get<TypedRow & { at: string }>(
      `SELECT answered_at AS at, answer_type AS type, answer AS value FROM answers
        WHERE thread_id = ? AND interrupt_id = ?`,
      [threadId, interruptId],
    );
    return row && { at: row.at, value: storedValue(row) };
  }

  protected override readTaskWrites(place: WritesPlace, taskId: string): StoredWrite[] {
    const rows = this.#all<WriteRow>(
      "SELECT * FROM writes WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ? AND task_id = ?",
      [place.threadId, place.checkpointNs, place.checkpointId, taskId],
    );
    return rows.map((row) => ({ index: row.idx, channel: row.channel, value: storedValue(row) }));
  }

  protected override hasResult(place: WritesPlace, taskId: string): boolean {
    return this.readTaskWrites(place, taskId).some(({ channel }) => isOutputChannel(channel));
  }

  protected override storeCheckpoint(place: CommitPlace, id: string, prepared: PreparedCheckpoint): void {
    const { threadId, checkpointNs, checkpointId } = place;
    const { checkpoint, metadata, channels } = prepared;
    for (const { channel, version, value } of channels) {
      this.#run("INSERT INTO channel_values VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", [
        ...[threadId, checkpointNs, channel, version],
        ...[value.type, value.bytes],
      ]);
    }
    // Durability "exit" puts a checkpoint on top of itself.
    const parentId = checkpointId === id ? this.#row(threadId, checkpointNs, id)?.parent_id : checkpointId;
    this.#run("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [
      ...[threadId, checkpointNs, id, parentId ?? null],
      ...[checkpoint.type, checkpoint.bytes, metadata.type, metadata.bytes],
    ]);
  }

  protected override storeWrites(place: WritesPlace, taskId: string, writes: readonly StoredWrite[]): void {
    for (const { index, channel, value, taskPath = "" } of writes) {
      const conflict = index < 0 ? "REPLACE" : "IGNORE";
      this.#run(`INSERT OR ${conflict} INTO writes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, [
        ...[place.threadId, place.checkpointNs, place.checkpointId, taskId, index, channel],
        ...[value.type, value.bytes, taskPath],
      ]);
    }
  }

  protected override storeRecord(threadId: string, { epoch, value }: StoredRecord): void {
    this.#run("INSERT OR REPLACE INTO threads VALUES (?, ?, ?, ?)", [threadId, epoch, value.type, value.bytes]);
  }

  protected override storeAnswer(threadId: string, interruptId: string, { at, value }: StoredAnswer): void {
    this.#run("INSERT INTO answers VALUES (?, ?, ?, ?, ?)", [threadId, interruptId, at, value.type, value.bytes]);
  }

  protected override removeThread(threadId: string): void {
    for (const table of THREAD_TABLES) this.#run(`DELETE FROM ${table} WHERE thread_id = ?`, [threadId]);
  }

  protected override removeCheckpoints(
    threadId: string,
    gone: readonly CheckpointKey[],
    kept: readonly KeptCheckpoint[],
  ): void {
    for (const { ns, id } of gone) {
      for (const table of ["checkpoints", "writes"]) {
        this.#run(`DELETE FROM ${table} WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?`, [
          threadId,
          ns,
          id,
        ]);
      }
    }
    const needed = new Set(
      kept.flatMap(({ ns, versions }) =>
        Object.entries(versions).map(([channel, version]) => JSON.stringify([ns, channel, String(version)])),
      ),
    );
    const stored = this.#all<{ checkpoint_ns: string; channel: string; version: string }>(
      "SELECT checkpoint_ns, channel, version FROM channel_values WHERE thread_id = ?",
      [threadId],
    );
    for (const { checkpoint_ns: ns, channel, version } of stored) {
      if (needed.has(JSON.stringify([ns, channel, version]))) continue;
      this.#run(
        "DELETE FROM channel_values WHERE thread_id = ? AND checkpoint_ns = ? AND channel = ? AND version = ?",
        [threadId, ns, channel, version],
      );
    }
  }

  protected override copyRows(from: string, to: string): void {
    for (const [table, columns] of Object.entries(COPIED_COLUMNS)) {
      this.#run(`INSERT INTO ${table} (thread_id, ${columns}) SELECT ?, ${columns} FROM ${table} WHERE thread_id = ?`, [
        to,
        from,
      ]);
    }
  }

  protected override releaseStore(): void {
    try {
      this.#database.close();
    } finally {
      this.#release();
    }
  }

  #row(threadId: string, checkpointNs: string, id: string): CheckpointRow | undefined {
    return this.#get<CheckpointRow>(
      "SELECT * FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
      [threadId, checkpointNs, id],
    );
  }

  async #tuple(row: CheckpointRow): Promise<CheckpointTuple> {
    const { thread_id, checkpoint_ns, checkpoint_id, parent_id } = row;
    // Everything is read before the first pause, so that it belongs together.
    const writes = this.#writes(thread_id, checkpoint_ns, checkpoint_id);
    const sends = parent_id === null ? [] : this.#writes(thread_id, checkpoint_ns, parent_id, TASKS);
    const stored = await this.#decode({ type: row.checkpoint_type, value: row.checkpoint });
    const { absent = [], ...rest } = stored as StoredCheckpoint;
    const present = Object.entries(rest.channel_versions).filter(([channel]) => !absent.includes(channel));
    const checkpoint: Checkpoint = {
      ...rest,
      channel_values: await this.#channelValues(thread_id, checkpoint_ns, present),
    };
    if (checkpoint.v < 4 && parent_id !== null) await this.#addPendingSends(checkpoint, sends);
    return {
      config: { configurable: { thread_id, checkpoint_ns, checkpoint_id } },
      checkpoint,
      metadata: await this.#metadata(row),
      pendingWrites: await Promise.all(
        writes.map(async (write): Promise<CheckpointPendingWrite> => {
          return [write.task_id, write.channel, await this.#decode(write)];
        }),
      ),
      ...(parent_id === null
        ? {}
        : { parentConfig: { configurable: { thread_id, checkpoint_ns, checkpoint_id: parent_id } } }),
    };
  }

  async #channelValues(
    threadId: string,
    checkpointNs: string,
    versions: readonly (readonly [channel: string, version: string | number])[],
  ): Promise<Record<string, unknown>> {
    const values: Record<string, unknown> = {};
    for (const [channel, version] of versions) {
      const row = this.#get<TypedRow>(
        "SELECT type, value FROM channel_values WHERE thread_id = ? AND checkpoint_ns = ? AND channel = ? AND version = ?",
        [threadId, checkpointNs, channel, String(version)],
      );
      if (row !== undefined) values[channel] = await this.#decode(row);
    }
    return values;
  }

  /** Checkpoints before LangGraph's format 4 kept their sends as writes of the parent. */
  async #addPendingSends(checkpoint: Checkpoint, sends: readonly WriteRow[]): Promise<void> {
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_values[TASKS] = await Promise.all(sends.map((write) => this.#decode(write)));
    checkpoint.channel_versions[TASKS] =
      versions.length > 0 ? maxChannelVersion(...versions) : this.getNextVersion(undefined);
  }

  async #matches(row: CheckpointRow, filter: Record<string, unknown> | undefined): Promise<boolean> {
    if (filter === undefined) return true;
    const metadata = (await this.#metadata(row)) as Record<string, unknown>;
    return Object.entries(filter).every(([key, value]) => isDeepStrictEqual(metadata[key], value));
  }

  async #metadata(row: CheckpointRow): Promise<CheckpointMetadata> {
    return (await this.#decode({ type: row.metadata_type, value: row.metadata })) as CheckpointMetadata;
  }

  #writes(threadId: string, checkpointNs: string, checkpointId: string, channel?: string): WriteRow[] {
    return this.#all<WriteRow>(
      `SELECT * FROM writes WHERE thread_id = ?1 AND checkpoint_ns = ?2 AND checkpoint_id = ?3
          AND (?4 IS NULL OR channel = ?4) ORDER BY task_path, task_id, idx`,
      [threadId, checkpointNs, checkpointId, channel ?? null],
    );
  }

  #decode(row: TypedRow): Promise<unknown> {
    return fromStored(this.serde, storedValue(row));
  }

  #run(sql: string, values: readonly SQLInputValue[]): void {
    this.#statement(sql).run(...values);
  }

  #get<Row>(sql: string, values: readonly SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  #all<Row>(sql: string, values: readonly SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#database.prepare(sql)));
    return statement;
  }
}

function storedValue({ type, value }: TypedRow): StoredValue {
  return { type, bytes: value };
}
