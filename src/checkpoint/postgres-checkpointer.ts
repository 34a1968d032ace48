import { RESUME, WRITES_IDX_MAP, copyCheckpoint } from "@langchain/langgraph-checkpoint";
import type {
  ChannelVersions,
  Checkpoint,
  CheckpointListOptions,
  CheckpointMetadata,
  CheckpointTuple,
  PendingWrite,
  SerializerProtocol,
} from "@langchain/langgraph-checkpoint";
import type { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import type { RunnableConfig } from "@langchain/core/runnables";
import { isOutputChannel, judgeAnswers, roundTripAnswers, taskKey } from "./answers.ts";
import type { AnswerFacts, TaskFacts } from "./answers.ts";
import { boundSaver } from "./bound-saver.ts";
import type { PostgresSaverClass } from "./bound-saver.ts";
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
import { storableMetadata } from "./postgres-metadata.ts";
import { postgresTables } from "./postgres-tables.ts";
import type { PostgresTables } from "./postgres-tables.ts";
import type { SqlClient, SqlDriver } from "./sql-driver.ts";
import { serializedNow } from "./serialized-now.ts";
import { fromStored, toStored } from "./stored-value.ts";
import { strictSerializer } from "./strict-serializer.ts";
import { EMPTY_RECORD } from "./thread-record.ts";
import type { ThreadRecord } from "./thread-record.ts";

/** What a {@link PostgresCheckpointer} is made of. */
export interface PostgresCheckpointerParts {
  readonly driver: SqlDriver;
  /** LangGraph's saver, whose tables hold the checkpoints. */
  readonly Saver: PostgresSaverClass;
  readonly schema: string;
  readonly description: string;
  readonly shared: boolean;
  readonly locks: {
    lock(threadId: string, options: LockOptions): Promise<ThreadLock | undefined>;
    close(): Promise<void>;
  };
  /** Frees what goes with the database, such as the lock on its directory; called once, after the rest. */
  readonly release?: () => void;
}

interface ThreadRow {
  /** int8 comes as text or number, after the parsers of the driver. */
  readonly epoch: string | number | bigint;
  readonly record_type: string | null;
  readonly record: Uint8Array | null;
}

/**
 * Threads in Postgres, or in PGlite, which is Postgres too. LangGraph's PostgresSaver writes and
 * reads the checkpoints, in tables that a plain PostgresSaver can read; each commit is one
 * transaction of ours around it, which first takes the row of the thread in `perdure_threads`.
 */
export class PostgresCheckpointer extends Checkpointer {
  readonly description: string;
  readonly shared: boolean;
  readonly #driver: SqlDriver;
  readonly #Saver: PostgresSaverClass;
  readonly #schema: string;
  readonly #tables: PostgresTables;
  readonly #locks: PostgresCheckpointerParts["locks"];
  readonly #release: (() => void) | undefined;
  /** Reads outside of transactions. */
  readonly #reader: PostgresSaver;
  #closing: Promise<void> | undefined;

  constructor(parts: PostgresCheckpointerParts) {
    super();
    this.serde = strictSerializer(this.serde);
    this.description = parts.description;
    this.shared = parts.shared;
    this.#driver = parts.driver;
    this.#Saver = parts.Saver;
    this.#schema = parts.schema;
    this.#tables = postgresTables(parts.schema);
    this.#locks = parts.locks;
    this.#release = parts.release;
    this.#reader = this.#saverOn(parts.driver);
  }

  override getNextVersion(current: number | undefined): number {
    return nextChannelVersion(current);
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    this.#assertOpen();
    if (config.configurable?.["thread_id"] === undefined) return undefined;
    return this.#reader.getTuple(config);
  }

  override async *list(config: RunnableConfig, options?: CheckpointListOptions): AsyncGenerator<CheckpointTuple> {
    this.#assertOpen();
    yield* this.#reader.list(config, options);
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    this.#assertOpen();
    const place = commitPlace(config, "put");
    const { threadId, checkpointNs, checkpointId, guard } = place;
    const copy = copyCheckpoint(checkpoint);
    const storable = storableMetadata(metadata);
    const changed = Object.keys(newVersions).map((channel) => copy.channel_values[channel]);
    const serde = await serializedNow(this.serde, [storable, ...changed]);
    return this.#driver.transaction(async (client) => {
      const row = await this.#lockRow(client, threadId);
      const head = guard?.onHead === true ? await this.#head(client, threadId, checkpointNs) : undefined;
      assertGuard(place, "put", { head, epoch: Number(row.epoch), next: checkpoint.id });
      if (guard?.record !== undefined) await this.#changeRecord(client, threadId, row, guard.record);
      return this.#saverOn(client, serde).put(
        { configurable: { thread_id: threadId, checkpoint_ns: checkpointNs, checkpoint_id: checkpointId } },
        copy,
        storable,
        newVersions,
      );
    });
  }

  override async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    this.#assertOpen();
    const place = commitPlace(config, "putWrites");
    const all = [...writes];
    const serde = await serializedNow(
      this.serde,
      all.map(([, value]) => value),
    );
    await this.#driver.transaction(async (client) => {
      const row = await this.#lockRow(client, place.threadId);
      assertGuard(place, "putWrites", { head: undefined, epoch: Number(row.epoch) });
      const saver = this.#saverOn(client, serde);
      const at = writesConfig(place.threadId, place);
      // The saver replaces special writes only in a call that has no others; in the second call they are there already.
      const special = all.filter(([channel]) => channel in WRITES_IDX_MAP);
      if (special.length > 0) await saver.putWrites(at, special, taskId);
      if (special.length === all.length) return;
      // Of a task that was run twice the first result stands, whole: the second may have other writes (I2).
      if (place.guard !== undefined && (await this.#hasResult(client, place, taskId))) return;
      await saver.putWrites(at, all, taskId);
    });
  }

  override async deleteThread(threadId: string): Promise<void> {
    this.#assertOpen();
    await this.#driver.transaction(async (client) => {
      await this.#lockRow(client, threadId);
      await this.#saverOn(client).deleteThread(threadId);
      await client.query(`DELETE FROM ${this.#tables.answers} WHERE thread_id = $1`, [threadId]);
      await client.query(`DELETE FROM ${this.#tables.threads} WHERE thread_id = $1`, [threadId]);
    });
  }

  override async newestBelow(threadId: string, namespaces: readonly string[]): Promise<CheckpointTuple[]> {
    this.#assertOpen();
    if (namespaces.length === 0) return [];
    const { rows } = await this.#driver.query<{ checkpoint_ns: string; checkpoint_id: string }>(
      `SELECT DISTINCT ON (checkpoint_ns) checkpoint_ns, checkpoint_id
         FROM ${this.#tables.checkpoints} cp, unnest($2::text[]) AS above
        WHERE thread_id = $1
          AND (above = '' OR checkpoint_ns = above OR starts_with(checkpoint_ns, above || '|'))
        ORDER BY checkpoint_ns, checkpoint_id DESC`,
      [threadId, namespaces],
    );
    const tuples = await Promise.all(
      rows.map((row) => this.#reader.getTuple({ configurable: { thread_id: threadId, ...row } })),
    );
    return tuples.filter((tuple) => tuple !== undefined);
  }

  override async readRecord(threadId: string): Promise<ThreadRecord | undefined> {
    this.#assertOpen();
    const { rows } = await this.#driver.query<ThreadRow>(
      `SELECT epoch, record_type, record FROM ${this.#tables.threads} WHERE thread_id = $1`,
      [threadId],
    );
    return rows[0] && this.#recordOf(rows[0]);
  }

  override async updateRecord(threadId: string, change: (record: ThreadRecord) => ThreadRecord): Promise<ThreadRecord> {
    this.#assertOpen();
    return this.#driver.transaction(async (client) => {
      const row = await this.#lockRow(client, threadId);
      return this.#changeRecord(client, threadId, row, change);
    });
  }

  override async commitAnswers(threadId: string, commit: AnswerCommit): Promise<AnswerOutcome[]> {
    this.#assertOpen();
    const answers = await roundTripAnswers(this.serde, commit);
    return this.#driver.transaction(async (client) => {
      const row = await this.#lockRow(client, threadId);
      const facts = await this.#answerFacts(client, threadId, answers);
      const { outcomes, accepted, resumes } = judgeAnswers(commit.headCheckpointId, answers, facts);
      if (accepted.length === 0) return outcomes;

      const at = new Date().toISOString();
      for (const { interruptId, answer } of accepted) {
        const { type, bytes } = await toStored(this.serde, answer);
        await client.query(
          `INSERT INTO ${this.#tables.answers} (thread_id, interrupt_id, answered_at, answer_type, answer)
           VALUES ($1, $2, $3, $4, $5)`,
          [threadId, interruptId, at, type, bytes],
        );
      }
      const saver = this.#saverOn(client);
      for (const { task, value } of resumes) {
        await saver.putWrites(writesConfig(threadId, task), [[RESUME, value]], task.taskId);
      }
      if (commit.record !== undefined) await this.#changeRecord(client, threadId, row, commit.record);
      return outcomes;
    });
  }

  override async readAnswer(threadId: string, interruptId: string): Promise<RecordedAnswer | undefined> {
    this.#assertOpen();
    const { rows } = await this.#driver.query<{ at: string | Date; answer_type: string; answer: Uint8Array }>(
      `SELECT answered_at AS at, answer_type, answer FROM ${this.#tables.answers}
        WHERE thread_id = $1 AND interrupt_id = $2`,
      [threadId, interruptId],
    );
    if (rows[0] === undefined) return undefined;
    const { at, answer_type, answer } = rows[0];
    return { interruptId, answer: await this.#decode(answer_type, answer), at: new Date(at).toISOString() };
  }

  override async lockThread(threadId: string, options: LockOptions): Promise<ThreadLock | undefined> {
    this.#assertOpen();
    return this.#locks.lock(threadId, options);
  }

  override close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#locks.close();
      await this.#driver.close();
    } finally {
      this.#release?.();
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw checkpointerClosed(this.description);
  }

  #saverOn(client: SqlClient, serde: SerializerProtocol = this.serde): PostgresSaver {
    return boundSaver(this.#Saver, client, { serde, schema: this.#schema });
  }

  /** Takes the thread's row, made when there is none: whoever else commits to the thread waits. */
  async #lockRow(client: SqlClient, threadId: string): Promise<ThreadRow> {
    const { threads } = this.#tables;
    for (;;) {
      const { rows } = await client.query<ThreadRow>(
        `SELECT epoch, record_type, record FROM ${threads} WHERE thread_id = $1 FOR UPDATE`,
        [threadId],
      );
      if (rows[0] !== undefined) return rows[0];
      await client.query(`INSERT INTO ${threads} (thread_id) VALUES ($1) ON CONFLICT DO NOTHING`, [threadId]);
    }
  }

  async #hasResult(client: SqlClient, place: CommitPlace, taskId: string): Promise<boolean> {
    const { rows } = await client.query<{ channel: string }>(
      `SELECT channel FROM ${this.#tables.checkpointWrites}
        WHERE thread_id = $1 AND checkpoint_ns = $2 AND checkpoint_id = $3 AND task_id = $4 AND idx >= 0`,
      [place.threadId, place.checkpointNs, place.checkpointId, taskId],
    );
    return rows.some(({ channel }) => isOutputChannel(channel));
  }

  /** A statement of its own, after the row lock: it must see what the last holder committed. */
  async #head(client: SqlClient, threadId: string, checkpointNs: string): Promise<string | undefined> {
    const { rows } = await client.query<{ checkpoint_id: string }>(
      `SELECT checkpoint_id FROM ${this.#tables.checkpoints} WHERE thread_id = $1 AND checkpoint_ns = $2
        ORDER BY checkpoint_id DESC LIMIT 1`,
      [threadId, checkpointNs],
    );
    return rows[0]?.checkpoint_id;
  }

  async #recordOf(row: ThreadRow): Promise<ThreadRecord | undefined> {
    if (row.record === null || row.record_type === null) return undefined;
    return (await this.#decode(row.record_type, row.record)) as ThreadRecord;
  }

  async #changeRecord(
    client: SqlClient,
    threadId: string,
    row: ThreadRow,
    change: (record: ThreadRecord) => ThreadRecord,
  ): Promise<ThreadRecord> {
    const record = change((await this.#recordOf(row)) ?? EMPTY_RECORD);
    const { type, bytes } = await toStored(this.serde, record);
    await client.query(
      `UPDATE ${this.#tables.threads} SET epoch = $2, record_type = $3, record = $4 WHERE thread_id = $1`,
      [threadId, record.epoch, type, bytes],
    );
    return (await this.#decode(type, bytes)) as ThreadRecord;
  }

  async #answerFacts(client: SqlClient, threadId: string, asked: readonly AnswerToCommit[]): Promise<AnswerFacts> {
    const given = await client.query<{ interrupt_id: string; answer_type: string; answer: Uint8Array }>(
      `SELECT interrupt_id, answer_type, answer FROM ${this.#tables.answers}
        WHERE thread_id = $1 AND interrupt_id = ANY($2::text[])`,
      [threadId, asked.map(({ interruptId }) => interruptId)],
    );
    const answers = new Map<string, unknown>();
    for (const row of given.rows) answers.set(row.interrupt_id, await this.#decode(row.answer_type, row.answer));

    const tasks = new Map<string, TaskFacts>();
    for (const { task } of asked) {
      if (task === undefined || tasks.has(taskKey(task))) continue;
      const { rows } = await client.query<{ channel: string; type: string; blob: Uint8Array | null }>(
        `SELECT channel, type, CASE WHEN channel = $5 THEN blob END AS blob FROM ${this.#tables.checkpointWrites}
          WHERE thread_id = $1 AND checkpoint_ns = $2 AND checkpoint_id = $3 AND task_id = $4`,
        [threadId, task.checkpointNs, task.checkpointId, task.taskId, RESUME],
      );
      const resume = rows.find((row) => row.blob !== null);
      tasks.set(taskKey(task), {
        resume: resume && (await this.#decode(resume.type, resume.blob as Uint8Array)),
        written: rows.some((row) => isOutputChannel(row.channel)),
      });
    }
    return { head: await this.#head(client, threadId, ""), answers, tasks };
  }

  #decode(type: string, bytes: Uint8Array): Promise<unknown> {
    // pg gives a Buffer; a value that is bytes must come back as the Uint8Array that it was.
    return fromStored(this.serde, { type, bytes: new Uint8Array(bytes) });
  }
}

function writesConfig(threadId: string, at: Pick<CommitPlace, "checkpointNs" | "checkpointId">): RunnableConfig {
  return { configurable: { thread_id: threadId, checkpoint_ns: at.checkpointNs, checkpoint_id: at.checkpointId } };
}
