import { PGlite } from "@electric-sql/pglite";
import type { BaseCheckpointSaver } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import type { AnswerOutcome, Checkpointer, ThreadLock } from "perdure/checkpoint";
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
