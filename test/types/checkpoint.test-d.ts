import { PGlite } from "@electric-sql/pglite";
import type { BaseCheckpointSaver } from "@langchain/langgraph";
import { checkpointerSql, importThreads, openCheckpointer } from "perdure/checkpoint";
import type { AnswerOutcome, Checkpointer, ImportResult, PruneResult, ThreadLock } from "perdure/checkpoint";
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
  expectTypeOf(checkpointerSql({ schema: "agents" })).toEqualTypeOf<string[]>();
  // @ts-expect-error The unit is in the name.
  void checkpointer.prune({ olderThan: 5 });
  // @ts-expect-error A directory has no tables of LangGraph's.
  void importThreads(new PGlite(), checkpointer);
  // @ts-expect-error Only the schema is in the statements.
  void checkpointerSql({ poolSize: 3 });
});
