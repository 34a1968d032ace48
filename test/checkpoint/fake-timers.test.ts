/** A program that tests with fake timers may have them on when it opens its first checkpointer. */
import { afterEach, beforeEach, expect, inject, test, vi } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { freshDatabase } from "../support/fresh-database.ts";
import { threeNodes } from "../support/three-nodes.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setImmediate", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function runOn(url: string): Promise<void> {
  const checkpointer = await openCheckpointer(url);
  const { runs, graph } = threeNodes();
  const state = await createRunner(graph, { name: "three", checkpointer }).start("t", {});
  expect(state.status).toBe("done");
  expect(runs).toEqual(["a", "b", "c"]);
  await checkpointer.close();
}

test("a run on PGlite goes on", () => runOn("pglite:memory"));

test.skipIf(inject("postgresUrl") === "")("a run on Postgres goes on", async () => {
  const database = await freshDatabase();
  await runOn(database.url);
  await database.drop();
});
