import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { checkpointerClosed } from "./closed.ts";
import type { LockOptions, ThreadLock } from "./checkpointer.ts";
import type { PgDriver } from "./pg-driver.ts";
import { explainDatabaseError, isConnectionError } from "./postgres-errors.ts";
import type { DatabaseAddress } from "./postgres-errors.ts";
import { SQL_STATE } from "./sql-state.ts";
import { stableKey } from "./stable-key.ts";
import { ThreadLocks } from "./thread-locks.ts";

/** How often a process asks for a lock that another one holds. */
const POLL_MS = 50;

const SQL = {
  exclusive: { take: "SELECT pg_try_advisory_lock($1::bigint) AS ok", free: "SELECT pg_advisory_unlock($1::bigint)" },
  shared: {
    take: "SELECT pg_try_advisory_lock_shared($1::bigint) AS ok",
    free: "SELECT pg_advisory_unlock_shared($1::bigint)",
  },
} as const;

/** A machine that is cut off says nothing: the server asks after ten seconds, and frees its locks fifteen later. */
const KEEPALIVE = `SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),
  set_config('tcp_keepalives_count', '3', false)`;

/** The connection that holds the locks, and the locks that die with it. */
interface LockSession {
  readonly client: Client;
  readonly locks: Set<{ lose(reason: unknown): void }>;
  /** The last statement; the next one waits for it, since pg will not queue statements any more. */
  last: Promise<unknown>;
  /** How many locks are held or asked for; an idle session does not keep the process alive. */
  uses: number;
  ended: boolean;
  /** Called when the connection is gone: each lock on it is lost. */
  readonly end: () => void;
}

/**
 * The right to drive a thread, among all processes on one database: session-level advisory locks on
 * one connection of their own, so the server frees them when the process dies. A session gets its
 * own locks again, so the lock within the process comes first. Nobody waits on the connection, which
 * others need too; whoever waits asks again every 50 ms.
 *
 * Such locks do not work behind pgbouncer in transaction mode, where a session is not the caller's own.
 */
export class PostgresLocks {
  readonly #driver: PgDriver;
  readonly #address: DatabaseAddress;
  readonly #local = new ThreadLocks();
  readonly #closing = new AbortController();
  #session: Promise<LockSession> | undefined;

  constructor(driver: PgDriver, address: DatabaseAddress) {
    this.#driver = driver;
    this.#address = address;
  }

  /** Takes the lock of a thread; undefined when it is taken and `wait` is false. */
  async lock(threadId: string, options: LockOptions): Promise<ThreadLock | undefined> {
    const local = await this.#local.lock(threadId, options);
    if (local === undefined) return undefined;
    const key = stableKey("thread", this.#address.schema, threadId);
    let session: LockSession | undefined;
    try {
      session = await this.#take(key, options);
    } finally {
      if (session === undefined) await local.release();
    }
    if (session === undefined) return undefined;
    const { locks } = session;
    locks.add(local);
    if (session.ended) local.lose(this.#connectionLost());
    const free = async (held: LockSession): Promise<void> => {
      if (!locks.delete(local)) return;
      await this.#free(held, key, options.mode);
      await local.release();
    };
    return { lost: local.lost, release: free.bind(undefined, session) };
  }

  /** Frees every lock and ends the connection. */
  async close(): Promise<void> {
    const closed = checkpointerClosed(this.#address.description);
    this.#closing.abort(closed);
    this.#local.loseAll(closed);
    const session = await this.#session?.catch(() => undefined);
    // The server frees the locks at the end of the session; only then may others here go on.
    if (session !== undefined && !session.ended) {
      use(session, 1); // or the process could end before the connection has, and the caller with it
      await session.client.end().catch(() => undefined);
    }
    this.#local.close(closed);
  }

  async #take(key: string, { mode, wait, signal }: LockOptions): Promise<LockSession | undefined> {
    const stop = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    for (;;) {
      stop.throwIfAborted();
      const session = await this.#tryTake(key, mode);
      if (session !== undefined) {
        if (!stop.aborted) return session;
        await this.#free(session, key, mode);
      } else if (!wait) {
        return undefined;
      }
      await sleep(POLL_MS, undefined, { signal: stop }).catch(() => stop.throwIfAborted());
    }
  }

  /** Asks once; when the connection turns out to be dead, once more on a new one. */
  async #tryTake(key: string, mode: LockOptions["mode"]): Promise<LockSession | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      const session = await this.#openSession();
      use(session, 1);
      try {
        const [row] = await ask(session, SQL[mode].take, key);
        if (row?.ok === true) return session;
        use(session, -1);
        return undefined;
      } catch (error) {
        use(session, -1);
        if (!isConnectionError(error) || attempt === 2) throw explainDatabaseError(error, this.#address);
        session.end();
      }
    }
  }

  async #free(session: LockSession, key: string, mode: LockOptions["mode"]): Promise<void> {
    // A failure means that the connection is gone, and the lock with it.
    if (!session.ended) await ask(session, SQL[mode].free, key).catch(() => undefined);
    use(session, -1);
  }

  #openSession(): Promise<LockSession> {
    this.#session ??= this.#connect().catch((error: unknown) => {
      this.#session = undefined;
      throw error;
    });
    return this.#session;
  }

  async #connect(): Promise<LockSession> {
    const client = this.#driver.newClient();
    const session: LockSession = {
      client,
      locks: new Set(),
      last: Promise.resolve(),
      uses: 0,
      ended: false,
      end: () => {
        if (session.ended) return;
        session.ended = true;
        this.#session = undefined;
        for (const lock of session.locks) lock.lose(this.#connectionLost());
        void client.end().catch(() => undefined);
      },
    };
    client.on("error", session.end);
    client.on("end", session.end);
    try {
      await client.connect();
      await client.query(KEEPALIVE);
    } catch (error) {
      throw explainDatabaseError(error, this.#address);
    }
    return session;
  }

  #connectionLost(): Error {
    return explainDatabaseError(
      Object.assign(new Error("the connection that held the lock of the thread ended"), {
        code: SQL_STATE.connectionFailure,
      }),
      this.#address,
    ) as Error;
  }
}

function ask(session: LockSession, statement: string, key: string): Promise<{ ok?: boolean }[]> {
  const answer = session.last.then(async () => (await session.client.query<{ ok?: boolean }>(statement, [key])).rows);
  session.last = answer.catch(() => undefined);
  return answer;
}

function use(session: LockSession, change: 1 | -1): void {
  session.uses += change;
  if (session.ended) return;
  // pg's own pool calls these two; they are not in its published types.
  const client = session.client as Client & { ref(): void; unref(): void };
  if (session.uses > 0) client.ref();
  else client.unref();
}
