import type { Checkpointer, ThreadLock } from "perdure/checkpoint";
import { PerdureError } from "perdure/errors";
import { overriding } from "./crash-overriding.ts";

/** When the connection is lost: at the n-th call that needs it, counted from 1, before or after the store did it. */
export interface Loss {
  readonly call: number;
  readonly side: "before" | "after";
}

/** A checkpointer whose connection gets lost. */
export interface UnreliableCheckpointer {
  readonly checkpointer: Checkpointer;
  /** The calls so far, by name. */
  readonly calls: readonly string[];
  /** Loses the connection: every lock is lost, and the next `refused` calls find no new one. @default 0 */
  readonly lose: (refused?: number) => void;
}

const CALLS = [
  "getTuple",
  "put",
  "putWrites",
  "newestBelow",
  "readRecord",
  "updateRecord",
  "commitAnswers",
  "readAnswer",
] as const;

/** The checkpointer behind a connection that is lost at some of its calls, and with it every lock. */
export function unreliableCheckpointer(
  checkpointer: Checkpointer,
  losses: readonly Loss[] = [],
): UnreliableCheckpointer {
  const calls: string[] = [];
  const locks = new Set<AbortController>();
  let refused = 0;
  const lose = (refusedAfter = 0): void => {
    refused = refusedAfter;
    for (const lock of locks) lock.abort(unreachable("the lock is lost"));
    locks.clear();
  };
  const connected = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    calls.push(name);
    const loss = losses.find(({ call }) => call === calls.length);
    if (loss?.side === "before") lose();
    if (loss?.side === "before" || refused-- > 0) throw unreachable(`no ${name}`);
    const result = await work();
    if (loss === undefined) return result;
    lose();
    throw unreachable(`${name}, perhaps`);
  };
  const methods = Object.fromEntries(
    CALLS.map((name) => [
      name,
      (...args: unknown[]) =>
        connected(name, () => Reflect.apply(checkpointer[name], checkpointer, args) as Promise<unknown>),
    ]),
  );
  const lockThread: Checkpointer["lockThread"] = async (threadId, options) => {
    let lock: ThreadLock | undefined;
    try {
      return await connected("lockThread", async () => {
        lock = await checkpointer.lockThread(threadId, options);
        return lock && losable(lock, locks);
      });
    } catch (error) {
      await lock?.release(); // as the server does at the end of a session
      throw error;
    }
  };
  return { checkpointer: overriding(checkpointer, { ...methods, lockThread }), calls, lose };
}

function losable(lock: ThreadLock, locks: Set<AbortController>): ThreadLock {
  const mine = new AbortController();
  locks.add(mine);
  return {
    lost: AbortSignal.any([lock.lost, mine.signal]),
    release: () => {
      locks.delete(mine);
      return lock.release();
    },
  };
}

function unreachable(what: string): PerdureError {
  return new PerdureError("CHECKPOINTER_UNREACHABLE", `the connection is gone: ${what}.`, { hint: "Wait." });
}
