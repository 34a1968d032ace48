import { PGlite } from "@electric-sql/pglite";
import type { BaseStore, Item } from "@langchain/langgraph-checkpoint";
import { StateGraph } from "@langchain/langgraph";
import { openCheckpointer, openStore } from "perdure/checkpoint";
import type { Store } from "perdure/checkpoint";
import { Client, Pool } from "pg";
import { expectTypeOf, test } from "vitest";
import { z } from "zod";

test("openStore takes a checkpointer, a URL, a pg.Pool or a PGlite, and nothing else", async () => {
  expectTypeOf(openStore("memory:")).resolves.toEqualTypeOf<Store>();
  expectTypeOf(openStore).toBeCallableWith(await openCheckpointer("memory:"));
  expectTypeOf(openStore).toBeCallableWith(new Pool());
  expectTypeOf(openStore).toBeCallableWith(new PGlite());
  // @ts-expect-error One connection is no pool.
  void openStore(new Client());
  // @ts-expect-error The unit is in the name.
  void openStore("memory:", { ttl: 5 });
  // @ts-expect-error That is for checkpoints.
  void openStore("memory:", { cacheThreads: 5 });
});

test("a store is LangGraph's, and goes where a graph takes one", async () => {
  expectTypeOf<Store>().toExtend<BaseStore>();
  const store = await openStore("memory:");
  new StateGraph(z.object({ n: z.number() })).compile({ store });
  expectTypeOf(store.get(["a"], "k")).resolves.toEqualTypeOf<Item | null>();
  expectTypeOf(store.deleteExpired).toEqualTypeOf<() => Promise<number>>();
  interface Memory {
    readonly text: string;
  }
  expectTypeOf(store.put).toBeCallableWith(["a"], "k", { text: "any object" } satisfies Memory);
});
