import { MemorySaver } from "@langchain/langgraph-checkpoint";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import type { PGlite } from "@electric-sql/pglite";
import { openCheckpointer } from "perdure/checkpoint";
import { Client } from "pg";

/** A saver that is measured, on a database of its own. */
export interface Contender<Name extends string = string> {
  readonly name: Name;
  /**
   * Opens an instance that has cached nothing, over a schema whose tables are made when they are
   * missing. It has a connection then, so that nobody pays for one in what is measured.
   */
  readonly open: (schema: string) => Promise<OpenSaver>;
}

/** A contender that keeps its threads in a database one can ask. */
export interface DatabaseContender<Name extends string = string> extends Contender<Name> {
  /** Runs a statement beside the saver. */
  readonly query: <Row>(text: string, values?: unknown[]) => Promise<Row[]>;
}

/** An instance of a saver. */
export interface OpenSaver {
  readonly saver: BaseCheckpointSaver;
  readonly close: () => Promise<void>;
}

/** LangGraph's saver as its documentation opens it, with pg's default of 10 connections. */
export function postgresSaver(url: string): DatabaseContender<"PostgresSaver"> {
  return {
    name: "PostgresSaver",
    open: async (schema) => {
      const saver = PostgresSaver.fromConnString(url, { schema });
      await saver.setup();
      return { saver, close: () => saver.end() };
    },
    query: (text, values) => queryOnce(url, text, values),
  };
}

/** Ours, without a runner. It has 10 connections at most too. */
export function perdure(url: string): DatabaseContender<"perdure"> {
  return {
    name: "perdure",
    open: async (schema) => {
      const saver = await openCheckpointer(url, { schema });
      return { saver, close: () => saver.close() };
    },
    query: (text, values) => queryOnce(url, text, values),
  };
}

/** Ours on PGlite. A new instance uses the database that is open, as one on Postgres uses the server that runs. */
export function perdureOnPglite(database: PGlite): DatabaseContender<"pglite"> {
  return {
    name: "pglite",
    open: async (schema) => {
      const saver = await openCheckpointer(database, { schema });
      return { saver, close: () => saver.close() };
    },
    query: async (text, values) => (await database.query(text, values)).rows as never[],
  };
}

/** LangGraph's saver in memory: what LangGraph itself takes, which no database gets below. */
export const inMemory: Contender<"memory"> = {
  name: "memory",
  open: async () => ({ saver: new MemorySaver(), close: async () => {} }),
};

/** Runs one statement on a connection of its own. */
export async function queryOnce<Row>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, values)).rows as Row[];
  } finally {
    await client.end();
  }
}
