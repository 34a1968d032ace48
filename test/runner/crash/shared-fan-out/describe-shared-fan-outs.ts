import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { afterAll, beforeAll, expect, it } from "vitest";
import { seedOfThisRun } from "../../../support/crash-random.ts";
import { CRASH_TIMEOUT_MS } from "../../../support/crash-timeout.ts";
import { describeWithPostgres, freshDatabase } from "../../../support/fresh-database.ts";
import type { FreshDatabase } from "../../../support/fresh-database.ts";
import { countBegun, repeatedTasks } from "./account.ts";
import { FINISHED_LOG } from "./fan-out-graph.ts";
import { shareFanOuts } from "./share-fan-outs.ts";
import type { SharePlan, Shared } from "./share-fan-outs.ts";

/** Three processes on one Postgres, killed at random; `kills` says how many there must have been at least. */
export function describeSharedFanOuts(
  plan: Pick<SharePlan, "threads" | "atOnce" | "eventsBetweenKills"> & { readonly kills: number },
): void {
  describeWithPostgres("three processes share fan-outs under SIGKILL", () => {
    const seed = seedOfThisRun();
    let database: FreshDatabase;
    let checkpointer: Checkpointer;
    let directory = "";
    let shared: Shared;

    beforeAll(async () => {
      database = await freshDatabase();
      directory = await mkdtemp(join(tmpdir(), "perdure-fan-out-"));
      checkpointer = await openCheckpointer(database.url);
      shared = await shareFanOuts({ ...plan, url: database.url, checkpointer, directory, seed });
      const { begun, again } = countBegun(shared.lines);
      console.info(`PERDURE_SEED=${seed}: ${shared.kills} kills, ${begun} tasks begun, ${again} of them again`);
    }, CRASH_TIMEOUT_MS);
    afterAll(async () => {
      await checkpointer.close();
      await database.drop();
      await rm(directory, { recursive: true, force: true });
    });

    it("workers were killed while they ran tasks, and every thread came to its end all the same", () => {
      expect(shared.kills, `seed ${seed}`).toBeGreaterThanOrEqual(plan.kills);
      expect(countBegun(shared.lines).again, `seed ${seed}`).toBeGreaterThan(0);
      expect(shared.threads).toHaveLength(plan.threads);
      expect(shared.errors, `seed ${seed}`).toEqual([]);
    });

    it("I6: nothing is lost and the order is kept: each task's result is in the state once, in its place", () => {
      for (const { state } of shared.threads) {
        expect(state, `${state.threadId}`).toMatchObject({ status: "done", values: { log: FINISHED_LOG } });
      }
    });

    it("I4: each superstep was committed once, on the one before", () => {
      for (const { state, history } of shared.threads) {
        expect(
          history.map(({ step }) => step),
          state.threadId,
        ).toEqual(history.map((_, index) => index + (history[0]?.step ?? 0)));
        expect(
          history.map(({ parentId }) => parentId),
          state.threadId,
        ).toEqual([undefined, ...history.slice(0, -1).map(({ id }) => id)]);
      }
    });

    it("I2: only what a killed process had begun and not stored ran again", () => {
      expect(repeatedTasks(shared.lines), `seed ${seed}`).toEqual([]);
    });
  });
}
