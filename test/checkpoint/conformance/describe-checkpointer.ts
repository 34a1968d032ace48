import { afterAll, beforeAll, describe } from "vitest";
import type { Checkpointer } from "perdure/checkpoint";
import { describeAnswers } from "./answers.ts";
import { describeCommits } from "./commits.ts";
import { describeForks } from "./forks.ts";
import { describeIds } from "./ids.ts";
import { describeLangGraphSuite } from "./langgraph.ts";
import { describeLifecycle } from "./lifecycle.ts";
import { describeLists } from "./lists.ts";
import { describeLocks } from "./locks.ts";
import { describeNamespaces } from "./namespaces.ts";
import { describeRecords } from "./records.ts";
import type { Backend, Store } from "./store.ts";

/**
 * What every checkpointer must do: LangGraph's published suite, and what a runner needs beyond it.
 * Describes a backend with a few lines; its test file adds only what is its own.
 */
export function describeCheckpointer(name: string, backend: Backend): void {
  describe(name, () => {
    describeLangGraphSuite(backend);
    describeLifecycle(backend);

    describe("with one store for all", () => {
      let store: Store;
      let checkpointer: Checkpointer;
      let another: Checkpointer;
      beforeAll(async () => {
        store = await backend.fresh();
        checkpointer = await store.open();
        another = backend.shared ? await store.open() : checkpointer;
      });
      afterAll(async () => {
        await Promise.all([checkpointer.close(), another.close()]);
        await store.remove?.();
      });
      describeCommits(() => checkpointer);
      describeRecords(() => checkpointer);
      describeAnswers(() => checkpointer);
      describeNamespaces(() => checkpointer);
      describeIds(() => checkpointer);
      describeLists(() => checkpointer);
      describeLocks(
        () => checkpointer,
        () => another,
      );
      describeForks(() => checkpointer, backend.propertyRuns);
    });
  });
}

/** The part about checkpoints and what they consist of: for a backend that may store the same in other ways. */
export function describeStoring(name: string, backend: Backend): void {
  describe(name, () => {
    describeLangGraphSuite(backend);

    describe("with one store for all", () => {
      let store: Store;
      let checkpointer: Checkpointer;
      beforeAll(async () => {
        store = await backend.fresh();
        checkpointer = await store.open();
      });
      afterAll(async () => {
        await checkpointer.close();
        await store.remove?.();
      });
      describeCommits(() => checkpointer);
      describeForks(() => checkpointer, backend.propertyRuns);
    });
  });
}
