import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { z } from "zod";
import { parseOptions } from "../errors/index.ts";

/** How to open a checkpointer; what does not apply to the kind that is opened is ignored. */
export interface OpenCheckpointerOptions {
  /**
   * The schema of the tables, made if it is missing. For Postgres and PGlite.
   * @default "public"
   */
  readonly schema?: string | undefined;
  /**
   * Create and migrate the tables. With `false` nothing is changed, and missing tables are an error.
   * For Postgres and PGlite.
   * @default true
   */
  readonly setup?: boolean | undefined;
  /**
   * Connections at most; one more holds the locks of threads. For postgres:// URLs.
   * @default 10
   */
  readonly poolSize?: number | undefined;
  /**
   * How long to wait for a connection. For postgres:// URLs.
   * @default 10_000
   */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * After how long the server ends a statement, and a commit gives up waiting for a thread whose row another
   * transaction has locked. For postgres:// URLs.
   * @default the server's own setting; a commit waits as long as the lock is held
   */
  readonly statementTimeoutMs?: number | undefined;
  /**
   * TLS, as node's `tls.connect` takes it, or `true` for its defaults. `sslmode` in the URL comes first. For
   * postgres:// URLs.
   * @default no TLS
   */
  readonly ssl?: boolean | Readonly<Record<string, unknown>> | undefined;
  /**
   * Let the server keep the plans of statements under a name. Turn it off behind a pooler that does not know
   * named statements, such as pgbouncer before 1.21. For postgres:// URLs and pools.
   * @default true
   */
  readonly prepare?: boolean | undefined;
  /**
   * Writes and reads every value of a thread that is stored, such as to encrypt it; ids and the names of channels are
   * not values. On Postgres and PGlite lists are then not compared with what is stored, so a list that was read back is
   * stored again whole with its next change. For every kind; a store has none, see docs/store.md.
   * @default LangGraph's own
   */
  readonly serde?: SerializerProtocol | undefined;
  /**
   * Of how many threads (and subgraphs) it is remembered where the values of the newest checkpoint lie, so that
   * the next one stores only what is new without reading. With 0 each commit reads its parent back. For
   * Postgres and PGlite.
   * @default 1000
   */
  readonly cacheThreads?: number | undefined;
}

/** The options with their defaults. */
export interface PostgresOptions {
  readonly prepare: boolean;
  readonly serde?: SerializerProtocol | undefined;
  readonly cacheThreads: number;
  readonly schema: string;
  readonly setup: boolean;
  readonly poolSize: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs?: number | undefined;
  readonly ssl?: boolean | Readonly<Record<string, unknown>> | undefined;
}

/** Those of them that a connection needs. */
export type ConnectOptions = Omit<PostgresOptions, "serde" | "cacheThreads">;

/** A serializer, passed on as it is. */
export const serializerSchema = z.custom<SerializerProtocol>(isSerializer, "must have dumpsTyped and loadsTyped");

/** {@link OpenCheckpointerOptions} with their defaults. */
export const openOptionsSchema = z.strictObject({
  // It goes into statements as a quoted name; Postgres cuts names after 63 bytes, which would make two of them one.
  schema: z
    .string()
    .regex(/^[^"\0]+$/u, "must be a name without quotes")
    .refine((name) => Buffer.byteLength(name) <= 63, "must have at most 63 bytes")
    .default("public"),
  setup: z.boolean().default(true),
  poolSize: z.int().min(1).default(10),
  connectTimeoutMs: z.int().min(1).default(10_000),
  statementTimeoutMs: z.int().min(1).optional(),
  ssl: z.union([z.boolean(), z.record(z.string(), z.unknown())]).optional(),
  prepare: z.boolean().default(true),
  serde: serializerSchema.optional(),
  cacheThreads: z.int().min(0).default(1000),
});

/** Options that may hold a key or a password. */
export const SECRET_OPTIONS = ["ssl", "serde", "embeddings"];

/**
 * Checks the options and fills in the defaults.
 * @param caller who was called, as it stands in the message
 * @throws OPTIONS_INVALID
 */
export function parseOpenOptions(options: OpenCheckpointerOptions, caller = "openCheckpointer"): PostgresOptions {
  return parseOptions(caller, openOptionsSchema, options, { secret: SECRET_OPTIONS });
}

function isSerializer(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return ["dumpsTyped", "loadsTyped"].every(
    (method) => typeof (value as Record<string, unknown>)[method] === "function",
  );
}
