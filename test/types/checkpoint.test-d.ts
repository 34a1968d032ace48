import { PGlite } from "@electric-sql/pglite";
import type { BaseCheckpointSaver } from "@langchain/langgraph";
import { checkpointerSql, importThreads, interruptId, openCheckpointer, storeSql } from "perdure/checkpoint";
import type {
  AnswerOutcome,
  Checkpointer,
  ImportProgress,
  ImportResult,
  ListPage,
  ListedInterrupt,
  ListedThread,
  PruneResult,
  ThreadLock,
} from "perdure/checkpoint";
import type { OnceCommitter } from "perdure/nodes";
import { Client, Pool } from "pg";
import { expectTypeOf, test } from "vitest";

test("openCheckpointer takes a URL, a pg.Pool or a PGlite, and nothing else", () => {
  expectTypeOf(openCheckpointer("memory:")).resolves.toEqualTypeOf<Checkpointer>();
  expectTypeOf(openCheckpointer).toBeCallableWith(new Pool());
  expectTypeOf(openCheckpointer).toBeCallableWith(new PGlite());
  // @ts-expect-error One connection is no pool.
  void openCheckpointer(new Client());
  // @ts-expect-error The unit is in the name.
  void openCheckpointer("memory:", { connectTimeout: 5 });
});

test("a checkpointer is a LangGraph checkpoint saver, and its own calls say what they return", () => {
  expectTypeOf<Checkpointer>().toExtend<BaseCheckpointSaver>();
  expectTypeOf<Checkpointer["lockThread"]>().returns.resolves.toEqualTypeOf<ThreadLock | undefined>();
  expectTypeOf<Checkpointer["commitAnswers"]>().returns.resolves.toEqualTypeOf<AnswerOutcome[]>();
});

test("prune, copyThread and importThreads say what they take and return", () => {
  const checkpointer = {} as Checkpointer;
  expectTypeOf(checkpointer.prune({ keepNewest: 3, before: new Date() })).resolves.toEqualTypeOf<PruneResult>();
  expectTypeOf(checkpointer.copyThread).parameters.toEqualTypeOf<[from: string, to: string]>();
  expectTypeOf(importThreads(new Pool(), checkpointer)).resolves.toEqualTypeOf<ImportResult>();
  // @ts-expect-error The unit is in the name.
  void checkpointer.prune({ olderThan: 5 });
  // @ts-expect-error A directory has no tables of LangGraph's.
  void importThreads(new PGlite(), checkpointer);
  // @ts-expect-error LangGraph's tables have a schema, and no options of ours.
  void importThreads(new Pool(), checkpointer, { poolSize: 3 });
});

test("an import tells of each thread what became of it", () => {
  const onProgress = (progress: ImportProgress): void => {
    expectTypeOf(progress.outcome).toEqualTypeOf<"importing" | "imported" | "skipped" | "failed">();
    expectTypeOf(progress.threadId).toEqualTypeOf<string>();
    if (progress.outcome === "importing") {
      expectTypeOf([progress.checkpoints, progress.total]).toEqualTypeOf<number[]>();
    } else if (progress.outcome === "imported") expectTypeOf(progress.checkpoints).toEqualTypeOf<number>();
    else if (progress.outcome === "failed") expectTypeOf(progress.error).toEqualTypeOf<unknown>();
    // @ts-expect-error Only a thread that failed has an error.
    else void progress.error;
    // @ts-expect-error There is no such outcome.
    void (progress.outcome === "done");
  };
  expectTypeOf(importThreads).toBeCallableWith("postgres://localhost/db", {} as Checkpointer, { onProgress });
  expectTypeOf<ImportResult["skipped"]>().toEqualTypeOf<readonly string[]>();
  expectTypeOf<ImportResult["failed"][number]>().toEqualTypeOf<{
    readonly threadId: string;
    readonly error: unknown;
  }>();
});

test("lists come in pages, and the next one begins where the page says", async () => {
  const checkpointer = {} as Checkpointer;
  const threads = await checkpointer.listThreads({ interrupted: true, limit: 10 });
  expectTypeOf(threads).toEqualTypeOf<ListPage<ListedThread>>();
  expectTypeOf(threads.next).toEqualTypeOf<string | undefined>();
  expectTypeOf(checkpointer.listThreads).toBeCallableWith({ after: threads.next });
  expectTypeOf(threads.items).toEqualTypeOf<readonly ListedThread[]>();
  expectTypeOf<ListedThread["updatedAt"]>().toEqualTypeOf<string | undefined>();

  const inbox = await checkpointer.listInterrupts({ after: undefined });
  expectTypeOf(inbox).toEqualTypeOf<ListPage<ListedInterrupt>>();
  for (const { id, threadId, value } of inbox.items) {
    expectTypeOf([id, threadId]).toEqualTypeOf<string[]>();
    expectTypeOf(value).toEqualTypeOf<unknown>();
  }
  // @ts-expect-error Each of them is open.
  void checkpointer.listInterrupts({ interrupted: true });
  // @ts-expect-error A page begins after a text, and not at a number.
  void checkpointer.listThreads({ after: 50 });
  // @ts-expect-error A page is read only.
  threads.items.push(threads.items[0]);
});

test("interruptId takes a task and how many answers it had before", () => {
  expectTypeOf(interruptId).toEqualTypeOf<(taskId: string, answersBefore: number) => string>();
  expectTypeOf(interruptId("task", 0)).toEqualTypeOf<ListedInterrupt["id"]>();
});

test("checkpointerSql and storeSql give statements for a schema, and take nothing else", () => {
  expectTypeOf(checkpointerSql()).toEqualTypeOf<string[]>();
  expectTypeOf(storeSql()).toEqualTypeOf<string[]>();
  for (const print of [checkpointerSql, storeSql]) {
    expectTypeOf(print).toBeCallableWith({ schema: "agents" });
    // @ts-expect-error Only the schema is in the statements.
    void print({ poolSize: 3 });
  }
});

test("a checkpointer may commit once, as once.tx asks for it", () => {
  expectTypeOf<NonNullable<Checkpointer["commitOnce"]>>().toEqualTypeOf<OnceCommitter["commitOnce"]>();
  expectTypeOf<Checkpointer & Required<Pick<Checkpointer, "commitOnce">>>().toExtend<OnceCommitter>();
  // SQLite and memory have none.
  expectTypeOf<Checkpointer>().not.toExtend<OnceCommitter>();
});
