import { RESUME, WRITES_IDX_MAP } from "@langchain/langgraph-checkpoint";
import { judgeAnswers, taskKey } from "../answers.ts";
import type { AnswerFacts, TaskFacts } from "../answers.ts";
import type { AnswerCommit, AnswerOutcome, AnswerToCommit, RecordedAnswer } from "../checkpointer.ts";
import { assertGuard } from "../commit-guard.ts";
import type { CommitPlace } from "../commit-guard.ts";
import { namedStatement } from "../named-statement.ts";
import type { NamedStatement, SqlClient, SqlDriver } from "../sql-driver.ts";
import { threadExists, threadNotFound } from "../thread-copy.ts";
import { EMPTY_RECORD, recordOfCopy } from "../thread-record.ts";
import type { ThreadRecord } from "../thread-record.ts";
import { RESULT_IDX } from "./commit.ts";
import type { Commit, Verdict } from "./commit.ts";
import type { SaverTables } from "./saver-tables.ts";
import { recordOf } from "./stored-record.ts";
import type { RecordColumns } from "./stored-record.ts";
import { copyThreadRows, deleteThreadRows } from "./thread-rows.ts";
import type { StoredBytes, StoredRow, ValueCodec } from "./value-codec.ts";

interface ThreadRow extends RecordColumns {
  readonly thread: unknown;
  readonly generation: unknown;
  readonly epoch: unknown;
  readonly head: string | null;
}

/** Commits that first have to look: each is a transaction of its own that begins by locking the thread's row. */
export class ThreadTransactions {
  readonly #driver: SqlDriver;
  readonly #codec: ValueCodec;
  readonly #tables: SaverTables;
  readonly #make: NamedStatement;
  readonly #read: NamedStatement;
  readonly #replace: NamedStatement;

  constructor(driver: SqlDriver, codec: ValueCodec, tables: SaverTables) {
    this.#driver = driver;
    this.#codec = codec;
    this.#tables = tables;
    const make = `INSERT INTO ${tables.threads} (thread_id) VALUES ($1) ON CONFLICT DO NOTHING`;
    this.#make = namedStatement("make", make);
    const read = `SELECT thread, record_type, record FROM ${tables.threads} WHERE thread_id = $1`;
    this.#read = namedStatement("record", read);
    const replace = `UPDATE ${tables.threads} SET epoch = $2, record_type = $3, record = $4
      WHERE thread = $1 AND record_type IS NOT DISTINCT FROM $5 AND record = $6 RETURNING thread`;
    this.#replace = namedStatement("replace", replace);
  }

  async readRecord(threadId: string): Promise<ThreadRecord | undefined> {
    const { rows } = await this.#driver.query<RecordColumns>(this.#read, [threadId]);
    return rows[0] && recordOf(this.#codec, rows[0]);
  }

  async updateRecord(threadId: string, change: (record: ThreadRecord) => ThreadRecord): Promise<ThreadRecord> {
    const stored = await this.#replaceRecord(threadId, change);
    return stored ?? this.#withRow(threadId, (client, row) => this.#changeRecord(client, row, change));
  }

  /** Changes the record where it is still as it was read, without a transaction. @returns undefined where it is not, or there is none */
  async #replaceRecord(
    threadId: string,
    change: (record: ThreadRecord) => ThreadRecord,
  ): Promise<ThreadRecord | undefined> {
    const { rows } = await this.#driver.query<RecordColumns & { thread: unknown }>(this.#read, [threadId]);
    const [row] = rows;
    const before = row && (await recordOf(this.#codec, row));
    if (row === undefined || before === undefined) return undefined;
    const record = change(before);
    const { type, bytes } = await this.#codec.dump(record);
    const stored = await this.#driver.commit(this.#replace, [
      Number(row.thread),
      record.epoch,
      type,
      bytes,
      row.record_type,
      row.record,
    ]);
    return stored.rows.length === 0 ? undefined : recordOf(this.#codec, { record_type: type, record: bytes });
  }

  /** Stores a checkpoint together with a change of the record, or below the root on the head it expects. */
  async putWith(
    place: CommitPlace,
    commit: Commit,
    flush: (client: SqlClient, commit: Commit) => Promise<(Verdict | undefined)[]>,
  ): Promise<Verdict> {
    const { threadId, checkpointNs: ns, guard } = place;
    return this.#withRow(threadId, async (client, row) => {
      const head = ns === "" ? (row.head ?? undefined) : await this.#headOf(client, row, ns);
      const next = commit.checkpoint?.id as string;
      assertGuard(place, "put", { head, epoch: Number(row.epoch), next });
      const [judged] = await flush(client, {
        ...commit,
        condition: { ...commit.condition, epoch: undefined, onHead: false },
      });
      const verdict = judged as Verdict; // nobody else has the row
      if (verdict.made && guard?.record !== undefined) await this.#changeRecord(client, row, guard.record);
      return verdict;
    });
  }

  async commitAnswers(
    threadId: string,
    commit: AnswerCommit,
    answers: readonly AnswerToCommit[],
  ): Promise<AnswerOutcome[]> {
    return this.#withRow(threadId, async (client, row) => {
      const facts = await this.#answerFacts(client, row, answers);
      const { outcomes, accepted, resumes } = judgeAnswers(commit.headCheckpointId, answers, facts);
      if (accepted.length === 0) return outcomes;

      const at = new Date().toISOString();
      for (const { interruptId, answer } of accepted) {
        await client.query(
          `INSERT INTO ${this.#tables.answers} (thread, interrupt_id, answered_at, type, text, bytes)
           VALUES ($1, $2, $3, $4, $5, $6)`,
          [Number(row.thread), interruptId, at, ...columnsOf(await this.#codec.dump(answer))],
        );
      }
      for (const { task, value } of resumes) {
        await client.query(
          `INSERT INTO ${this.#tables.writes} (thread, ns, checkpoint_id, task_id, idx, type, text, bytes)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
           ON CONFLICT (thread, ns, checkpoint_id, task_id, idx)
           DO UPDATE SET type = EXCLUDED.type, text = EXCLUDED.text, bytes = EXCLUDED.bytes`,
          [
            Number(row.thread),
            task.checkpointNs,
            task.checkpointId,
            task.taskId,
            WRITES_IDX_MAP[RESUME],
            ...columnsOf(await this.#codec.dump([[RESUME, value]])),
          ],
        );
        await client.query(
          `DELETE FROM ${this.#tables.interrupts} WHERE thread = $1 AND ns = $2 AND checkpoint_id = $3 AND task_id = $4`,
          [Number(row.thread), task.checkpointNs, task.checkpointId, task.taskId],
        );
      }
      if (commit.record !== undefined) await this.#changeRecord(client, row, commit.record);
      return outcomes;
    });
  }

  async readAnswer(threadId: string, interruptId: string): Promise<RecordedAnswer | undefined> {
    const { threads, answers } = this.#tables;
    const { rows } = await this.#driver.query<StoredRow & { at: string | Date }>(
      `SELECT a.answered_at AS at, a.type, a.text, a.bytes FROM ${threads} t JOIN ${answers} a ON a.thread = t.thread
        WHERE t.thread_id = $1 AND a.interrupt_id = $2`,
      [threadId, interruptId],
    );
    if (rows[0] === undefined) return undefined;
    return { interruptId, answer: await this.#codec.load(rows[0]), at: new Date(rows[0].at).toISOString() };
  }

  async deleteThread(threadId: string): Promise<void> {
    await this.#driver.transaction(async (client) => {
      const { rows } = await client.query<ThreadRow>(
        `SELECT thread FROM ${this.#tables.threads} WHERE thread_id = $1 FOR UPDATE`,
        [threadId],
      );
      if (rows[0] !== undefined) {
        await deleteThreadRows(client, this.#tables, { threadId, thread: Number(rows[0].thread) });
      }
    });
  }

  /** Copies a thread as it is at one moment. The copy begins with an epoch of its own: nobody drives it yet. */
  async copyThread(from: string, to: string): Promise<void> {
    const { threads } = this.#tables;
    await this.#driver.transaction(async (client) => {
      const { rows } = await client.query<ThreadRow>(
        `SELECT thread, head, record_type, record FROM ${threads} WHERE thread_id = $1 FOR NO KEY UPDATE`,
        [from],
      );
      const [source] = rows;
      if (source === undefined) throw threadNotFound(from);
      const made = await client.query<ThreadRow>(
        `INSERT INTO ${threads} (thread_id, head) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING thread, NULL AS record`,
        [to, source.head],
      );
      const [copy] = made.rows;
      if (copy === undefined) throw threadExists(to);
      await copyThreadRows(
        client,
        this.#tables,
        { threadId: from, thread: Number(source.thread) },
        { threadId: to, thread: Number(copy.thread) },
      );
      const record = await recordOf(this.#codec, source);
      if (record !== undefined) await this.#changeRecord(client, copy, () => recordOfCopy(record));
    });
  }

  /** A transaction that has locked the thread's row: whoever else commits to the thread waits, or comes back. */
  async #withRow<T>(threadId: string, work: (client: SqlClient, row: ThreadRow) => Promise<T>): Promise<T> {
    const { threads } = this.#tables;
    for (;;) {
      const done = await this.#driver.transaction(async (client) => {
        const { rows } = await client.query<ThreadRow>(
          `SELECT thread, generation, epoch, head, record_type, record FROM ${threads} WHERE thread_id = $1 FOR NO KEY UPDATE`,
          [threadId],
        );
        return rows[0] && { result: await work(client, rows[0]) };
      });
      if (done !== undefined) return done.result;
      // By itself: the flushes of others wait for a row that is made, and not yet committed.
      await this.#driver.commit(this.#make, [threadId]);
    }
  }

  async #headOf(client: SqlClient, { thread }: ThreadRow, ns: string): Promise<string | undefined> {
    const { rows } = await client.query<{ id: string }>(
      `SELECT id FROM ${this.#tables.checkpoints} WHERE thread = $1 AND ns = $2 ORDER BY id DESC LIMIT 1`,
      [Number(thread), ns],
    );
    return rows[0]?.id;
  }

  async #changeRecord(
    client: SqlClient,
    row: ThreadRow,
    change: (record: ThreadRecord) => ThreadRecord,
  ): Promise<ThreadRecord> {
    const record = change((await recordOf(this.#codec, row)) ?? EMPTY_RECORD);
    const { type, bytes } = await this.#codec.dump(record);
    await client.query(
      `UPDATE ${this.#tables.threads} SET epoch = $2, record_type = $3, record = $4 WHERE thread = $1`,
      [Number(row.thread), record.epoch, type, bytes],
    );
    return (await recordOf(this.#codec, { record_type: type, record: bytes })) as ThreadRecord;
  }

  async #answerFacts(client: SqlClient, row: ThreadRow, asked: readonly AnswerToCommit[]): Promise<AnswerFacts> {
    const thread = Number(row.thread);
    const given = await client.query<StoredRow & { interrupt_id: string }>(
      `SELECT interrupt_id, type, text, bytes FROM ${this.#tables.answers}
        WHERE thread = $1 AND interrupt_id = ANY ($2::text[])`,
      [thread, asked.map(({ interruptId }) => interruptId)],
    );
    const answers = new Map<string, unknown>();
    for (const answer of given.rows) answers.set(answer.interrupt_id, await this.#codec.load(answer));

    const tasks = new Map<string, TaskFacts>();
    for (const { task } of asked) {
      if (task === undefined || tasks.has(taskKey(task))) continue;
      const { rows } = await client.query<StoredRow & { idx: number }>(
        `SELECT idx, type, text, bytes FROM ${this.#tables.writes}
          WHERE thread = $1 AND ns = $2 AND checkpoint_id = $3 AND task_id = $4 AND idx IN ($5, $6)`,
        [thread, task.checkpointNs, task.checkpointId, task.taskId, RESULT_IDX, WRITES_IDX_MAP[RESUME]],
      );
      const resume = rows.find(({ idx }) => idx !== RESULT_IDX);
      const pairs = resume && ((await this.#codec.load(resume)) as [string, unknown][]);
      tasks.set(taskKey(task), { resume: pairs?.[0]?.[1], written: rows.some(({ idx }) => idx === RESULT_IDX) });
    }
    return { head: row.head ?? undefined, answers, tasks };
  }
}

function columnsOf({ type, bytes }: StoredBytes): [type: string | null, text: string | null, bytes: Uint8Array | null] {
  return type === null ? [null, Buffer.from(bytes).toString(), null] : [type, null, bytes];
}
