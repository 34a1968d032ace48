/** Whoever loses the right to drive a thread stops, and somebody else can go on (I4). */
import { START, StateGraph } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { Client } from "pg";
import { expect, test } from "vitest";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import { TextLog } from "../support/text-log.ts";

/** A node that hangs the first time it runs, until its signal aborts or `finish` is called. */
function hangsOnce() {
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  let runs = 0;
  const graph = new StateGraph(TextLog)
    .addNode("work", async (_state, { signal }: LangGraphRunnableConfig) => {
      runs += 1;
      const run = runs;
      if (run === 1) {
        signal!.addEventListener("abort", () => aborted.resolve(), { once: true });
        begun.resolve();
        await finish.promise;
      }
      return { log: `run ${run}` };
    })
    .addNode("after", () => ({ log: "after" }))
    .addEdge(START, "work")
    .addEdge("work", "after");
  return { graph, begun: begun.promise, aborted: aborted.promise, finish: () => finish.resolve() };
}

describeWithPostgres("a driver on Postgres", () => {
  test("whose connections drop stops; what its node returns later is not applied", async () => {
    const database = await freshDatabase();
    const [mine, theirs] = await Promise.all([openCheckpointer(database.url), openCheckpointer(database.url)]);
    try {
      const { graph, begun, aborted, finish } = hangsOnce();
      const started = createRunner(graph, { name: "mine", checkpointer: mine }).start("t", {});
      const failed = started.catch((error: unknown) => error);
      await begun;

      const client = new Client({ connectionString: database.url });
      await client.connect();
      await client.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
      await client.end();

      await aborted;
      expect(await failed).toMatchObject({ code: "CHECKPOINTER_UNREACHABLE" });
      const other = createRunner(graph, { name: "theirs", checkpointer: theirs });
      expect(await other.inspect("t")).toMatchObject({ status: "ready", next: ["work"] });
      // the server tells the connection of its end before it lets go of the lock
      const done = await other.continue("t", { whenBusy: "enqueue" });
      finish();
      await new Promise(setImmediate);
      expect(done).toMatchObject({ status: "done", values: { log: ["run 2", "after"] } });
      expect(await other.inspect("t")).toEqual(done);
    } finally {
      await Promise.all([mine.close(), theirs.close()]);
      await database.drop();
    }
  });

  test("whose checkpointer is closed stops, and tells why", async () => {
    const database = await freshDatabase();
    const [mine, theirs] = await Promise.all([openCheckpointer(database.url), openCheckpointer(database.url)]);
    try {
      const { graph, begun, aborted, finish } = hangsOnce();
      const failed = createRunner(graph, { name: "mine", checkpointer: mine })
        .start("t", {})
        .catch((error: unknown) => error);
      await begun;
      await mine.close();
      await aborted;
      expect(await failed).toMatchObject({ code: "CHECKPOINTER_CLOSED" });
      finish();
      const other = createRunner(graph, { name: "theirs", checkpointer: theirs });
      expect(await other.continue("t")).toMatchObject({ status: "done", values: { log: ["run 2", "after"] } });
    } finally {
      await theirs.close();
      await database.drop();
    }
  });
});

test("a driver in memory whose checkpointer is closed stops, and tells why", async () => {
  const checkpointer = await openCheckpointer("memory:");
  const { graph, begun, aborted } = hangsOnce();
  const failed = createRunner(graph, { name: "mine", checkpointer })
    .start("t", {})
    .catch((error: unknown) => error);
  await begun;
  await checkpointer.close();
  await aborted;
  expect(await failed).toMatchObject({ code: "CHECKPOINTER_CLOSED" });
});
