import { describe, expect, it } from "vitest";
import { explainDatabaseError, isConnectionError, isTransient } from "../../src/checkpoint/postgres-errors.ts";

const address = { description: "postgres://h:1/db", server: "h:1", database: "db", user: "me", schema: "s" };

function failure(message: string, code?: string): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}

describe("an error of the database", () => {
  it.each([
    ["28P01", "password authentication failed", "CHECKPOINTER_UNREACHABLE", 'refused the password of the user "me"'],
    ["28000", "no pg_hba.conf entry for host", "CHECKPOINTER_UNREACHABLE", 'refused the user "me"'],
    ["28000", "no pg_hba.conf entry for host", "CHECKPOINTER_UNREACHABLE", "no pg_hba.conf entry for host"],
    [
      undefined,
      "SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string",
      "CHECKPOINTER_UNREACHABLE",
      'wants a password of the user "me", and none was given',
    ],
    [
      undefined,
      "SASL: SCRAM-SERVER-FINAL-MESSAGE: server signature is missing",
      "CHECKPOINTER_UNREACHABLE",
      "signature",
    ],
    ["3D000", 'database "db" does not exist', "CHECKPOINTER_UNREACHABLE", "createdb db"],
    ["53300", "too many clients already", "CHECKPOINTER_UNREACHABLE", "poolSize"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate", "CHECKPOINTER_UNREACHABLE", "`ssl`"],
    ["42P01", 'relation "checkpoints" does not exist', "CHECKPOINTER_TABLE_MISSING", 'schema "s"'],
    [
      "42501",
      "permission denied for table t",
      "CHECKPOINTER_UNREACHABLE",
      "lacks a right: permission denied for table t",
    ],
    ["57P03", "the database system is starting up", "CHECKPOINTER_UNREACHABLE", "starting up"],
    ["57P03", "the database system is starting up", "CHECKPOINTER_UNREACHABLE", "Try again in a moment"],
    ["ENOTFOUND", "getaddrinfo ENOTFOUND h", "CHECKPOINTER_UNREACHABLE", "ENOTFOUND h"],
    [undefined, "Connection terminated unexpectedly", "CHECKPOINTER_UNREACHABLE", "terminated unexpectedly"],
    [undefined, "Cannot use a pool after calling end on the pool", "CHECKPOINTER_CLOSED", "closed"],
  ])("%s (%s) becomes %s and says: %s", (code, message, expected, says) => {
    const error = explainDatabaseError(failure(message, code), address);
    expect(error).toMatchObject({ code: expected });
    expect((error as Error).message).toContain(says);
  });

  it("names no user where none is known", () => {
    const { user: _user, ...rest } = address;
    const error = explainDatabaseError(failure("password authentication failed", "28P01"), rest) as Error;
    expect(error.message).toContain("h:1 refused the password for postgres://h:1/db: password authentication failed.");
  });

  it("of several addresses that all refuse names each refusal", () => {
    const refusals = [
      failure("connect ECONNREFUSED ::1:1", "ECONNREFUSED"),
      failure("connect ECONNREFUSED 127.0.0.1:1"),
    ];
    const error = explainDatabaseError(new AggregateError(refusals), address) as Error;
    expect(error).toMatchObject({ code: "CHECKPOINTER_UNREACHABLE" });
    for (const { message } of refusals) expect(error.message).toContain(message);
  });

  it("that says nothing about the connection or the tables is passed on as it is", () => {
    for (const other of [failure("duplicate key", "23505"), failure("statement timeout", "57014"), "text", undefined]) {
      expect(explainDatabaseError(other, address)).toBe(other);
      expect(isConnectionError(other)).toBe(false);
    }
  });

  it("breaks the connection when it is of the network or of a server that shuts down", () => {
    for (const code of ["ECONNRESET", "08006", "57P01"]) expect(isConnectionError(failure("x", code))).toBe(true);
  });

  it("breaks the connection when the server ended it because a transaction took too long", () => {
    for (const code of ["25P03", "25P04"]) expect(isConnectionError(failure("x", code))).toBe(true);
  });

  it("is worth another try when it is a deadlock, a serialization failure or a lost connection, and else is not", () => {
    for (const code of ["40P01", "40001"]) expect(isTransient(failure("x", code))).toBe(true);
    expect(isTransient(explainDatabaseError(failure("x", "ECONNRESET"), address))).toBe(true);
    for (const code of ["28P01", "42501", "53300", "25P03", "25P04"]) {
      expect(isTransient(explainDatabaseError(failure("x", code), address))).toBe(false);
    }
    for (const other of [failure("x", "23505"), failure("x"), "40001", undefined]) {
      expect(isTransient(other)).toBe(false);
    }
  });
});
