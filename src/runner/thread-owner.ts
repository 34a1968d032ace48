import { isSameRun, ownedBy } from "../checkpoint/index.ts";
import type { ThreadOwner, ThreadRecord } from "../checkpoint/index.ts";
import { PerdureError } from "../errors/index.ts";
import type { Driver } from "./driver.ts";
import type { ThreadView } from "./thread-view.ts";

/** Options of `runner.claim`. */
export interface ClaimOptions {
  /** Who is to drive the thread from now on. */
  readonly owner: ThreadOwner;
  /** Also when somebody else owns it, who is then shut out. @default false */
  readonly takeOver?: boolean;
}

/** Options of `runner.release`. */
export interface ReleaseOptions {
  /** Who drove the thread. */
  readonly owner: ThreadOwner;
}

/**
 * How long a claim waits for what the owner before has under way. It hears of the claim within a second, unless its process
 * stands still or is cut off; then the epoch keeps its commits out.
 */
const LAST_DRIVES_MS = 5_000;

/** Refuses whoever is not the owner: of a thread that has one, and on behalf of one. @throws THREAD_OWNED */
export function assertOwner(threadId: string, record: ThreadRecord, by: ThreadOwner | undefined): void {
  if (!isOwner(record, by)) throw threadOwned(threadId, record.owner);
}

/** Whether the call may drive the thread: it has no owner, or is driven on behalf of its owner. */
export function isOwner({ owner }: ThreadRecord, by: ThreadOwner | undefined): boolean {
  return owner === undefined ? by === undefined : isSameRun(owner, by);
}

/** Refuses a run that was the owner before. @throws THREAD_OWNED */
export function assertNotPast(threadId: string, { owner, pastOwners = [] }: ThreadRecord, by: ThreadOwner): void {
  if (pastOwners.includes(by.runId)) throw threadOwned(threadId, owner);
}

/** See `runner.claim`. */
export async function claimThread(driver: Driver, threadId: string, options: ClaimOptions): Promise<ThreadView> {
  let isNew = false;
  const claim = async (): Promise<void> => {
    await driver.checkpointer.updateRecord(threadId, (record) => {
      const next = claimed(threadId, record, options);
      isNew = next !== record;
      return next;
    });
  };
  const { record } = await driver.readExisting(threadId);
  // Who drives it for nobody is not disturbed; an owner that is followed by another has no say any more.
  if (record.owner === undefined) await driver.alone(threadId, claim);
  else if (!isSameRun(record.owner, options.owner)) {
    await claim();
    // where another call of the owner claimed it meanwhile, what is driven is the owner's own
    if (isNew) {
      await driver.stop(threadId);
      await driver.idle(threadId, LAST_DRIVES_MS);
    }
  }
  return driver.readExisting(threadId);
}

/** See `runner.release`. */
export async function releaseThread(driver: Driver, threadId: string, { owner }: ReleaseOptions): Promise<ThreadView> {
  const now = (await driver.checkpointer.readRecord(threadId))?.owner;
  if (now !== undefined && isSameRun(now, owner)) {
    await driver.checkpointer.updateRecord(threadId, (record) =>
      record.owner !== undefined && isSameRun(record.owner, owner) ? ownedBy(record, undefined) : record,
    );
  }
  return driver.readExisting(threadId);
}

/** Raises the epoch, so that what the owner before has under way can't be committed any more. */
function claimed(threadId: string, record: ThreadRecord, { owner, takeOver }: ClaimOptions): ThreadRecord {
  const before = record.owner;
  if (before !== undefined && isSameRun(before, owner)) return record;
  assertNotPast(threadId, record, owner);
  const isSuccessor = before?.engine === owner.engine && before.name === owner.name;
  if (before !== undefined && !isSuccessor && takeOver !== true) throw threadOwned(threadId, before);
  return { ...ownedBy(record, owner), epoch: record.epoch + 1 };
}

/** Somebody else drives the thread. */
export function threadOwned(threadId: string, owner: ThreadOwner | undefined): PerdureError {
  const driver = owner === undefined ? "no owner" : `run "${owner.runId}" of "${owner.name}" (${owner.engine})`;
  return new PerdureError("THREAD_OWNED", `Thread "${threadId}" is driven by ${driver}.`, {
    hint: "Use that engine's executor, have it release the thread, or take it over with runner.claim.",
  });
}
