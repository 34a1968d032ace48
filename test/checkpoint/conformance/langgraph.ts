import type { CheckpointSaverTestInitializer } from "@langchain/langgraph-checkpoint-validation";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Checkpointer } from "perdure/checkpoint";
import type { Backend, Store } from "./store.ts";

// The published suite finds its test functions in the global scope, already while it is loaded.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it });
const { deltaChannelHistoryTests, specTest } = await import("@langchain/langgraph-checkpoint-validation");

/** LangGraph's published conformance suite, with its opt-in part about delta channels. */
export function describeLangGraphSuite(backend: Backend): void {
  const stores = new Map<Checkpointer, Store>();
  const initializer: CheckpointSaverTestInitializer<Checkpointer> = {
    // The suite leaves a case out for savers that store whole checkpoints, which it knows by their names.
    checkpointerName: backend.storesChannelsApart ? "LangGraph's suite" : "MemorySaver",
    createCheckpointer: async () => {
      const store = await backend.fresh();
      const checkpointer = await store.open();
      stores.set(checkpointer, store);
      return checkpointer;
    },
    destroyCheckpointer: async (checkpointer) => {
      await checkpointer.close();
      await stores.get(checkpointer)?.remove?.();
    },
  };
  specTest(initializer);
  deltaChannelHistoryTests(initializer);
}
