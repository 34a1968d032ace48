import type { CheckpointSaverTestInitializer } from "@langchain/langgraph-checkpoint-validation";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Checkpointer } from "perdure/checkpoint";
import type { OpenFresh } from "./describe-checkpointer.ts";

// The published suite finds its test functions in the global scope, already while it is loaded.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it });
const { deltaChannelHistoryTests, specTest } = await import("@langchain/langgraph-checkpoint-validation");

/**
 * LangGraph's published conformance suite, with its opt-in part about delta channels.
 * @param storesChannelsApart Whether a channel is stored once for each version. MemorySaver stores whole
 *   checkpoints, and the suite leaves one case out for a saver of that name.
 */
export function describeLangGraphConformance(open: OpenFresh, storesChannelsApart: boolean): void {
  const initializer: CheckpointSaverTestInitializer<Checkpointer> = {
    checkpointerName: storesChannelsApart ? "LangGraph's conformance suite" : "MemorySaver",
    createCheckpointer: open,
    destroyCheckpointer: (checkpointer) => checkpointer.close(),
  };
  specTest(initializer);
  deltaChannelHistoryTests(initializer);
}
