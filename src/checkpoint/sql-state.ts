/** What Postgres says went wrong: https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const SQL_STATE = {
  connectionFailure: "08006",
  readOnly: "25006",
  failedTransaction: "25P02",
  idleInTransactionTimeout: "25P03",
  /** Of the whole transaction; since Postgres 17. */
  transactionTimeout: "25P04",
  wrongPassword: "28P01",
  noSuchDatabase: "3D000",
  noSuchSchema: "3F000",
  uniqueViolation: "23505",
  serializationFailure: "40001",
  deadlock: "40P01",
  lacksRight: "42501",
  noSuchTable: "42P01",
  tooManyConnections: "53300",
  lockNotAvailable: "55P03",
  /** It starts, recovers or shuts down. */
  cannotConnectNow: "57P03",
} as const;
