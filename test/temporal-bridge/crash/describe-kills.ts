import { randomUUID } from "node:crypto";
import { Client, Connection } from "@temporalio/client";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { createTemporalExecutor } from "perdure/temporal/client";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { seedOfThisRun } from "../../support/crash-random.ts";
import { CRASH_TIMEOUT_MS } from "../../support/crash-timeout.ts";
import { describeWithPostgres, freshDatabase } from "../../support/fresh-database.ts";
import type { FreshDatabase } from "../../support/fresh-database.ts";
import { describeWithTemporal } from "../../support/temporal.ts";
import { FINISHED_LOG, ROUNDS } from "./crash-graph.ts";
import { Ledger, repeatedNodes } from "./ledger.ts";
import type { Entry } from "./ledger.ts";
import { runUnderKills } from "./run-under-kills.ts";
import type { KillPlan, KilledRun } from "./run-under-kills.ts";

/** How much, and how it is disturbed; `kills` says how many there must have been at least. */
export interface KillOptions extends Pick<KillPlan, "runs" | "atOnce" | "nodesBetweenKills" | "localStart"> {
  readonly kills: number;
  readonly granularity: "node" | "burst";
}

/** Two workers on one Postgres and one Temporal server, killed at random moments. */
export function describeKills({ kills, granularity, ...options }: KillOptions): void {
  const start = options.localStart === true ? " and with a local start" : "";
  describeWithPostgres(`two workers under SIGKILL, at granularity ${granularity}${start}`, () => {
    describeWithTemporal("with Temporal", () => {
      const seed = seedOfThisRun();
      let database: FreshDatabase;
      let connection: Connection;
      let checkpointer: Checkpointer;
      let ledger: Ledger;
      let runs: readonly KilledRun[] = [];
      let killed = 0;
      let lines: Awaited<ReturnType<Ledger["read"]>> = [];
      let begun: readonly Entry[] = [];

      beforeAll(async () => {
        database = await freshDatabase();
        ledger = new Ledger(database.url);
        await ledger.create();
        checkpointer = await openCheckpointer(database.url);
        const address = inject("temporalAddress");
        connection = await Connection.connect({ address });
        const taskQueue = `crash-${randomUUID()}`;
        const executor = createTemporalExecutor({ client: new Client({ connection }), taskQueue, checkpointer });
        const workflowBundlePath = inject("workflowBundlePath");
        const setup = { databaseUrl: database.url, address, taskQueue, workflowBundlePath, granularity };
        const begin = performance.now();
        ({ runs, kills: killed } = await runUnderKills({ ...options, setup, executor, checkpointer, ledger, seed }));
        lines = await ledger.read();
        begun = lines.filter(({ kind }) => kind === "began");
        const again = begun.length - new Set(begun.map(({ task }) => task)).size;
        const seconds = Math.round((performance.now() - begin) / 1_000);
        console.info(
          `PERDURE_SEED=${seed}: ${runs.length} runs, ${killed} kills, ${begun.length} nodes begun, ${again} of them again, in ${seconds} s`,
        );
      }, CRASH_TIMEOUT_MS);
      afterAll(async () => {
        await connection.close();
        await checkpointer.close();
        await ledger.close();
        await database.drop();
      });

      it("each run comes to its right end, though workers were killed while it was under way", () => {
        expect(killed, `seed ${seed}`).toBeGreaterThanOrEqual(kills);
        expect(begun.length, `seed ${seed}: nodes died`).toBeGreaterThan(new Set(begun.map(({ task }) => task)).size);
        expect(runs).toHaveLength(options.runs);
        for (const { id, values } of runs) expect(values.log, `${id}, seed ${seed}`).toEqual(FINISHED_LOG);
        // a worker takes seconds to start, in which a quick run may get through between two kills
        const hit = runs.filter(({ kills: seen }) => seen > 0).length;
        expect(hit, `seed ${seed}: runs that saw a kill`).toBeGreaterThanOrEqual(options.runs / 2);
      });

      it("I2: a node began again only where who ran it had died before its result was stored, and left one result", () => {
        const inState = runs.flatMap(({ values }) => values.tokens);
        expect(new Set(inState).size, `seed ${seed}`).toBe(inState.length);
        expect(repeatedNodes(lines, new Set(inState)), `seed ${seed}`).toEqual([]);
      });

      it("what stands in once.tx happened once", async () => {
        const expected = runs.flatMap(({ id }) =>
          Array.from({ length: ROUNDS }, (_, round) => ({ thread: id, round })),
        );
        const text = ({ thread, round }: { thread: string; round: number }): string => `${thread} ${round}`;
        expect((await ledger.charges()).map(text).sort(), `seed ${seed}`).toEqual(expected.map(text).sort());
      });

      it("I4: the checkpoints of each run are one line, each on the one before", async () => {
        for (const { id } of runs) {
          const parents: (string | undefined)[] = [];
          for await (const { parentConfig } of checkpointer.list({
            configurable: { thread_id: id, checkpoint_ns: "" },
          }))
            parents.push(parentConfig?.configurable?.["checkpoint_id"] as string | undefined);
          expect(new Set(parents).size, id).toBe(parents.length);
        }
      });
    });
  });
}
