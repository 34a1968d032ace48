/** What a statement returned. */
export interface SqlResult<Row> {
  readonly rows: readonly Row[];
}

/** A statement that is sent often: the server keeps its plan under the name. */
export interface NamedStatement {
  /** Different for each text. */
  readonly name: string;
  readonly text: string;
}

/** Runs statements in Postgres's dialect, one after the other. */
export interface SqlClient {
  query<Row = Record<string, unknown>>(
    statement: string | NamedStatement,
    values?: readonly unknown[],
  ): Promise<SqlResult<Row>>;
}

/**
 * The little that {@link PostgresCheckpointer} needs of a database: pg's pool and PGlite both give it.
 * Errors are PerdureErrors where the database could not be reached or a table is missing, else the
 * database's own. Outside of a transaction `query` is for reads only: it may run one twice.
 */
export interface SqlDriver extends SqlClient {
  /**
   * Runs `work` in a transaction of its own and commits what it did, or rolls it back when it throws.
   * Statements of others never get in between. `work` must not use the driver itself.
   */
  transaction<T>(work: (client: SqlClient) => Promise<T>): Promise<T>;
  /** Runs one statement that commits by itself. Never runs it twice: when the connection is lost, it may be stored or not. */
  commit<Row>(statement: NamedStatement, values: readonly unknown[]): Promise<SqlResult<Row>>;
  /** How many connections were lost so far: behind a new one there may be another server, which lacks the last commits. */
  readonly losses: number;
  /** Ends what the driver opened itself; a pool or database it was given stays open. */
  close(): Promise<void>;
}
