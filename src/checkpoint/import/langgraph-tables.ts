import type { CheckpointTuple, SerializerProtocol } from "@langchain/langgraph-checkpoint";
import type { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import type { Pool } from "pg";
import { parseCheckpointerUrl } from "../checkpointer-url.ts";
import { connectPostgresPool, connectPostgresUrl } from "../connect-postgres.ts";
import type { PostgresConnection } from "../connect-postgres.ts";
import { PerdureError, show } from "../../errors/index.ts";
import { isPool } from "../open-checkpointer.ts";
import type { OpenPool } from "../open-checkpointer.ts";
import { parseOpenOptions } from "../open-options.ts";
import { loadPeer } from "../optional-peer.ts";
import { explainDatabaseError } from "../postgres-errors.ts";
import { absentTables } from "../postgres-tables.ts";
import { explainReading } from "../strict-serializer.ts";
import { withByteaRows } from "./bytea-rows.ts";
import { growingLists } from "./growing-lists.ts";

/** How {@link LangGraphTables} are opened. */
export interface LangGraphTablesOptions {
  readonly schema: string;
  readonly serde?: SerializerProtocol | undefined;
}

/** A checkpoint in LangGraph's tables. */
export interface LangGraphKey {
  readonly threadId: string;
  readonly ns: string;
  readonly id: string;
}

const PAGE = 500;

/** The tables of LangGraph's PostgresSaver, read by itself wherever values are concerned. */
export class LangGraphTables {
  readonly #connection: PostgresConnection;
  readonly #saver: PostgresSaver;
  readonly #checkpoints: string;

  private constructor(connection: PostgresConnection, saver: PostgresSaver) {
    this.#connection = connection;
    this.#saver = saver;
    this.#checkpoints = `"${connection.address.schema}".checkpoints`;
  }

  static async open(from: string | OpenPool, { schema, serde }: LangGraphTablesOptions): Promise<LangGraphTables> {
    const source = sourceOf(from);
    const { PostgresSaver } = await loadPeer(
      "@langchain/langgraph-checkpoint-postgres",
      "importThreads",
      () => import("@langchain/langgraph-checkpoint-postgres"),
    );
    const connection = await connect(source, schema);
    const { default: pg } = await loadPeer("pg", "importThreads", () => import("pg"));
    const saver = new PostgresSaver(withByteaRows(connection.pool, pg.types), serde, { schema });
    saver.serde = readingBytes(serde ?? growingLists(saver.serde));
    try {
      await assertTables(connection);
    } catch (error) {
      await connection.driver.close();
      throw error;
    }
    return new LangGraphTables(connection, saver);
  }

  /** All threads, in the order of their ids. */
  async *threadIds(): AsyncGenerator<string> {
    for (let after: string | undefined; ;) {
      const { rows }: { readonly rows: readonly { thread_id: string }[] } = await this.#connection.driver.query<{
        thread_id: string;
      }>(
        `SELECT DISTINCT thread_id FROM ${this.#checkpoints} WHERE $1::text IS NULL OR thread_id > $1
          ORDER BY thread_id LIMIT ${PAGE}`,
        [after],
      );
      yield* rows.map(({ thread_id: threadId }) => threadId);
      if (rows.length < PAGE) return;
      after = rows.at(-1)?.thread_id;
    }
  }

  /** The checkpoints of a thread, oldest first. */
  async keys(threadId: string): Promise<LangGraphKey[]> {
    const { rows } = await this.#connection.driver.query<{ ns: string; id: string }>(
      `SELECT checkpoint_ns AS ns, checkpoint_id AS id FROM ${this.#checkpoints} WHERE thread_id = $1`,
      [threadId],
    );
    return rows.map(({ ns, id }) => ({ threadId, ns, id })).toSorted((one, other) => (one.id < other.id ? -1 : 1));
  }

  async tuple({ threadId, ns, id }: LangGraphKey): Promise<CheckpointTuple | undefined> {
    const configurable = { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: id };
    try {
      return await this.#saver.getTuple({ configurable });
    } catch (error) {
      throw explainDatabaseError(error, this.#connection.address);
    }
  }

  async close(): Promise<void> {
    await this.#connection.driver.close();
  }
}

/** Gives bytes as they were put, and not as the Buffer that pg gives: that one would be stored as what its `toJSON` says. */
function readingBytes(serde: SerializerProtocol): SerializerProtocol {
  return {
    dumpsTyped: (value) => serde.dumpsTyped(value),
    async loadsTyped(type: string, data: Uint8Array | string): Promise<unknown> {
      const value: unknown = await explainReading(serde, type, data);
      return Buffer.isBuffer(value) ? new Uint8Array(value) : value;
    },
  };
}

/** The tables that PostgresSaver reads. */
const TABLES = ["checkpoints", "checkpoint_blobs", "checkpoint_writes"];

async function assertTables({ driver, address: { description, schema } }: PostgresConnection): Promise<void> {
  const absent = await absentTables(driver, schema, TABLES);
  if (absent.length === 0) return;
  throw new PerdureError(
    "CHECKPOINTER_TABLE_MISSING",
    `${description} has no tables of LangGraph's PostgresSaver in schema "${schema}" (without ${absent.join(", ")}).`,
    {
      hint: "Check the database, and the `schema` that PostgresSaver was given: it is an option of importThreads too.",
    },
  );
}

/** Checks where to import from: a pool, or the URL of a Postgres server. */
function sourceOf(from: unknown): string | Pool {
  if (typeof from === "string") {
    const url = parseCheckpointerUrl(from);
    if (url.kind === "postgres") return url.url;
    throw notPostgres(`${url.kind}: has none of LangGraph's tables`);
  }
  if (typeof from === "object" && from !== null && isPool(from)) return from as unknown as Pool;
  const given = typeof from === "object" && from !== null ? "" : `, got ${show(from)}`;
  throw notPostgres(`where to import from must be a URL or a pg.Pool${given}`);
}

function notPostgres(what: string): PerdureError {
  return new PerdureError("CHECKPOINTER_URL_INVALID", `importThreads: ${what}.`, {
    hint: "Pass the postgres:// URL of the database that PostgresSaver uses, or a pg.Pool on it.",
  });
}

async function connect(from: string | Pool, schema: string): Promise<PostgresConnection> {
  const options = parseOpenOptions({ schema }, "importThreads");
  return typeof from === "string" ? connectPostgresUrl(from, options) : connectPostgresPool(from, options);
}
