export { openCheckpointer } from "./open-checkpointer.ts";
export type { OpenPglite, OpenPool } from "./open-checkpointer.ts";
export type { OpenCheckpointerOptions } from "./open-options.ts";
export { checkpointerSql } from "./postgres/checkpointer-sql.ts";
export { importThreads } from "./import/import-threads.ts";
export type { ImportProgress, ImportResult, ImportThreadsOptions } from "./import/import-threads.ts";
export { openStore } from "./open-store.ts";
export type { OpenStoreOptions } from "./open-store.ts";
export { storeSql } from "./store/store-sql.ts";
export type { Store } from "./store/store.ts";
export { COMMIT_KEY, Checkpointer } from "./checkpointer.ts";
export type {
  AnswerCommit,
  AnswerOutcome,
  AnswerToCommit,
  CommitGuard,
  LockOptions,
  RecordedAnswer,
  ThreadHead,
  ThreadLock,
} from "./checkpointer.ts";
export type { PruneOptions, PruneResult } from "./prune-options.ts";
export { EMPTY_RECORD, isSameRun, ownedBy, tookPart } from "./thread-record.ts";
export type { RunRecord, StoredSignal, ThreadOwner, ThreadRecord } from "./thread-record.ts";
export { openInterruptsOf } from "./open-interrupts.ts";
export { dropKeptValue, keepValue, readKeptValue } from "./kept-value.ts";
export { interruptId } from "./interrupt-id.ts";
export { nextTurn } from "./real-clock.ts";
export { ownInterrupt, storedInterrupts } from "./stored-interrupts.ts";
export type { ListPage, ListPageOptions, ListThreadsOptions, ListedInterrupt, ListedThread } from "./thread-lists.ts";
