import { randomUUID } from "node:crypto";
import { Client, Connection } from "@temporalio/client";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { createTemporalExecutor } from "perdure/temporal/client";
import { afterAll, beforeAll, expect, inject, it, vi } from "vitest";
import type { CrashProcess } from "../../support/crash-process.ts";
import { CRASH_TIMEOUT_MS } from "../../support/crash-timeout.ts";
import { describeWithPostgres, freshDatabase } from "../../support/fresh-database.ts";
import type { FreshDatabase } from "../../support/fresh-database.ts";
import { describeWithTemporal } from "../../support/temporal.ts";
import { FINISHED_LOG } from "./crash-graph.ts";
import { Ledger } from "./ledger.ts";
import type { Entry } from "./ledger.ts";
import { runToEnd, startWorker } from "./run-under-kills.ts";
import type { KilledRun } from "./run-under-kills.ts";

const RUNS = 3;

/** A worker that stands still until others have done its work, and then goes on. */
export function describeStoppedWorker(granularity: "node" | "burst"): void {
  describeWithPostgres(`a worker that stood still, at granularity ${granularity}`, () => {
    describeWithTemporal("with Temporal", () => {
      let database: FreshDatabase;
      let connection: Connection;
      let checkpointer: Checkpointer;
      let ledger: Ledger;
      const workers: CrashProcess[] = [];
      let zombie = 0;
      /** Nodes in whose middle it stood still. */
      let stopped: readonly Entry[] = [];
      let ends: (KilledRun["values"] & { readonly id: string })[] = [];
      let lines: Awaited<ReturnType<Ledger["read"]>> = [];

      const begun = async (): Promise<Entry[]> => (await ledger.read()).filter(({ kind }) => kind === "began");
      const isBy = (pid: number) => (entry: Entry) => entry.pid === pid && !entry.finished;
      const isDoneByOthers =
        (all: readonly Entry[]) =>
        ({ task, pid }: Entry): boolean =>
          all.some((other) => other.task === task && other.pid !== pid && other.finished);

      beforeAll(async () => {
        database = await freshDatabase();
        ledger = new Ledger(database.url);
        await ledger.create();
        checkpointer = await openCheckpointer(database.url);
        const address = inject("temporalAddress");
        connection = await Connection.connect({ address });
        const taskQueue = `stopped-${randomUUID()}`;
        const executor = createTemporalExecutor({ client: new Client({ connection }), taskQueue, checkpointer });
        const workflowBundlePath = inject("workflowBundlePath");
        const setup = { databaseUrl: database.url, address, taskQueue, workflowBundlePath, granularity };
        // a worker of both would run the activities of its workflows itself
        const start = async (only: "workflows" | "activities"): Promise<void> =>
          void workers.push(await startWorker({ ...setup, only }));
        await start("workflows");
        await start("activities");
        const { process } = workers[1]!;
        zombie = process.pid ?? 0;
        const ids = Array.from({ length: RUNS }, (_, index) => `stopped-${index}-${taskQueue}`);
        const running = Promise.all(
          ids.map(async (id) => ({ id, ...(await runToEnd({ executor, checkpointer, ledger }, id, 300)) })),
        );
        const until = (is: () => Promise<boolean>): Promise<boolean> =>
          vi.waitUntil(is, { interval: 10, timeout: 60_000 });
        while (stopped.length === 0) {
          await until(async () => (await begun()).some(isBy(zombie)));
          process.kill("SIGSTOP");
          stopped = (await begun()).filter(isBy(zombie));
          if (stopped.length === 0) process.kill("SIGCONT"); // the node was done before the signal came
        }
        await start("activities");
        const isPassed = async (): Promise<boolean> => stopped.every(isDoneByOthers(await begun()));
        await until(isPassed);
        process.kill("SIGCONT");
        ends = await running;
        // it came to the end of what it was in the middle of
        await until(async () => !(await begun()).some(isBy(zombie)));
        lines = await ledger.read();
      }, CRASH_TIMEOUT_MS);
      afterAll(async () => {
        await Promise.all(workers.map((worker) => worker.kill()));
        await connection.close();
        await checkpointer.close();
        await ledger.close();
        await database.drop();
      });

      it("what it returns after it woke up is not applied, and every run comes to its right end", () => {
        for (const { id, log } of ends) expect(log, id).toEqual(FINISHED_LOG);
        const inState = ends.flatMap(({ tokens }) => tokens);
        const late = stopped.filter(isDoneByOthers(lines)).map(({ token }) => token);
        expect(late.length).toBeGreaterThan(0);
        expect(inState.filter((token) => late.includes(token))).toEqual([]);
      });

      it("I2: no other worker began what was stored, and each task has one result", () => {
        const nodes = lines.filter(({ kind }) => kind === "began");
        // a moment passes before the one that woke up hears that it was taken for dead
        expect(nodes.filter(({ stored, pid }) => stored && pid !== zombie)).toEqual([]);
        const taskOf = new Map(nodes.map(({ token, task }) => [token, task]));
        const results = ends.flatMap(({ tokens }) => tokens).map((token) => taskOf.get(token));
        expect(new Set(results)).toEqual(new Set(taskOf.values()));
        expect(results).toHaveLength(new Set(results).size);
      });

      it("I4: it and its retry made one child of each checkpoint together", async () => {
        for (const { id } of ends) {
          const parents: unknown[] = [];
          for await (const { parentConfig } of checkpointer.list({
            configurable: { thread_id: id, checkpoint_ns: "" },
          }))
            parents.push(parentConfig?.configurable?.["checkpoint_id"]);
          expect(new Set(parents).size, id).toBe(parents.length);
        }
      });
    });
  });
}
