import { PerdureError, isPerdureError } from "../errors/index.ts";
import type { PostgresPlace } from "./checkpointer-url.ts";
import { checkpointerClosed } from "./closed.ts";
import { SQL_STATE } from "./sql-state.ts";

/** Where a connection goes, for messages. */
export interface DatabaseAddress extends PostgresPlace {
  readonly schema: string;
}

const NETWORK_CODES = new Set([
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);

/** A server that ended a connection because a transaction took too long. */
const TOOK_TOO_LONG: ReadonlySet<string> = new Set([SQL_STATE.idleInTransactionTimeout, SQL_STATE.transactionTimeout]);

/** What pg says, without a code, when a connection was not made in time or ended. */
const CONNECTION_MESSAGES = /connection terminated|timeout exceeded|timeout expired|not queryable|connection error/iu;

/** pg's own errors when the server's way of asking for a password fails. */
const PASSWORD_MESSAGES = /^SASL: /u;
/** That one of them which says that there was none to give. */
const NO_PASSWORD = /^SASL: .*client password must be/u;

/** What pg says when the owner of a pool has ended it. */
const POOL_ENDED = /^Cannot use a pool after calling end/u;

/** OpenSSL's and Node's codes for certificates, and what pg says when the server has no TLS. */
const TLS_ERRORS = /CERT_|_CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|ERR_SSL|does not support SSL/u;

/**
 * Whether the error means that the connection, and with it every lock of its session, is gone:
 * a network error, a server that shuts down (SQLSTATE classes 08 and 57P), or one that had enough of a transaction.
 */
export function isConnectionError(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined) {
    return NETWORK_CODES.has(code) || code.startsWith("08") || code.startsWith("57P") || TOOK_TOO_LONG.has(code);
  }
  if (error instanceof AggregateError) return error.errors.some(isConnectionError);
  return error instanceof Error && CONNECTION_MESSAGES.test(error.message);
}

/** Whether the server ended the connection because a transaction took too long, as it would do again. */
export function tookTooLong(error: unknown): boolean {
  return TOOK_TOO_LONG.has(codeOf(isPerdureError(error) ? error.cause : error) ?? "");
}

/**
 * Whether the same statement or transaction may do better next time: a lost connection, a deadlock, or a
 * serialization failure, which even single statements meet where the database makes all transactions serializable.
 *
 * @param error What a driver threw.
 */
export function isTransient(error: unknown): boolean {
  if (isPerdureError(error, "CHECKPOINTER_UNREACHABLE")) return isConnectionError(error.cause) && !tookTooLong(error);
  const code = codeOf(error);
  return code === SQL_STATE.deadlock || code === SQL_STATE.serializationFailure;
}

/**
 * What the caller gets for an error of the database: a PerdureError where it can be said what to
 * do, else the error itself.
 */
export function explainDatabaseError(error: unknown, address: DatabaseAddress): unknown {
  if (error instanceof PerdureError) return error;
  const { server, database, description, schema, user } = address;
  const code = codeOf(error) ?? "";
  const unreachable = (what: string, hint: string): PerdureError =>
    new PerdureError("CHECKPOINTER_UNREACHABLE", what, { hint, cause: error });

  const who = user === undefined ? "" : ` the user "${user}"`;
  const ofUser = who === "" ? "" : ` of${who}`;
  if (NO_PASSWORD.test(messageOf(error))) {
    return unreachable(
      `the server at ${server} wants a password${ofUser}, and none was given for ${description}.`,
      "Put it in the URL, percent-encoded, or in the environment variable PGPASSWORD.",
    );
  }
  if (code === SQL_STATE.wrongPassword || PASSWORD_MESSAGES.test(messageOf(error))) {
    return unreachable(
      `the server at ${server} refused the password${ofUser} for ${description}: ${messageOf(error)}.`,
      "Check the user and the password in the URL; special characters in it must be percent-encoded.",
    );
  }
  if (code.startsWith("28")) {
    return unreachable(
      `the server at ${server} refused${who || " the user"} for ${description}: ${messageOf(error)}.`,
      "Check the user in the URL, and that the server's pg_hba.conf lets this user in.",
    );
  }
  if (code === SQL_STATE.cannotConnectNow) {
    return unreachable(
      `the server at ${server} takes no connections now: ${messageOf(error)}.`,
      "It starts, recovers or shuts down. Try again in a moment.",
    );
  }
  if (TLS_ERRORS.test(`${code} ${messageOf(error)}`)) {
    return unreachable(
      `no TLS with the server at ${server}: ${messageOf(error)}.`,
      "Correct the option `ssl`, or `sslmode` in the URL: it must fit what the server offers and its certificate.",
    );
  }
  if (code === SQL_STATE.noSuchDatabase) {
    return unreachable(
      `the server at ${server} has no such database: ${messageOf(error)}.`,
      `Create it, for example with \`createdb ${database || "<name>"}\`.`,
    );
  }
  if (code === SQL_STATE.tooManyConnections) {
    return unreachable(
      `the server at ${server} takes no more connections.`,
      "Lower poolSize, raise the server's max_connections, or put a pooler in between.",
    );
  }
  if (code === SQL_STATE.readOnly) {
    return unreachable(
      `the server at ${server} takes no writes: ${messageOf(error)}.`,
      "It is a standby, or set to read only: connect to the primary.",
    );
  }
  if (code === SQL_STATE.lacksRight) {
    const on = (what: string): string => `ON ALL ${what} IN SCHEMA "${schema}"`;
    return unreachable(
      `the user of ${description} lacks a right: ${messageOf(error)}.`,
      `Run as the owner: GRANT USAGE ON SCHEMA "${schema}" TO …; GRANT SELECT, INSERT, UPDATE, DELETE ${on("TABLES")} TO …; ` +
        `GRANT USAGE ${on("SEQUENCES")} TO …`,
    );
  }
  if (POOL_ENDED.test(messageOf(error))) return checkpointerClosed(description);
  if (code === SQL_STATE.noSuchTable || code === SQL_STATE.noSuchSchema)
    return tableMissing(address, messageOf(error), error);
  if (isConnectionError(error)) {
    return unreachable(
      `no connection to the server at ${server}: ${messageOf(error)}.`,
      "Check that it runs, that host and port in the URL are right, and that no firewall is in between.",
    );
  }
  return error;
}

/** The error for tables that are not there. */
export function tableMissing(address: DatabaseAddress, what: string, cause?: unknown): PerdureError {
  return new PerdureError(
    "CHECKPOINTER_TABLE_MISSING",
    `${address.description} lacks tables of perdure in schema "${address.schema}" (${what}).`,
    {
      hint: "Open it once with a user that may create tables and without `setup: false`, correct `schema`, or restore what was dropped.",
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

/** The code of an error of the database or of the network. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** What an error says; for several at once, as of a host with several addresses, what each says. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}
