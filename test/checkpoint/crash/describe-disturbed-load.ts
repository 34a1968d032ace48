import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { afterAll, beforeAll, expect, it } from "vitest";
import { seedOfThisRun } from "../../support/crash-random.ts";
import { CRASH_TIMEOUT_MS } from "../../support/crash-timeout.ts";
import { describeWithPostgres } from "../../support/fresh-database.ts";
import { startPostgres } from "../../support/postgres.ts";
import type { PostgresServer } from "../../support/postgres.ts";
import { callsOverRestarts, callsWithoutEnd, effectsRepeated, linesAt, tasksRepeated } from "./account.ts";
import { disturbLoad } from "./disturb-load.ts";
import type { Disturbed } from "./disturb-load.ts";
import { commitsLost, findStored } from "./find-stored.ts";
import type { StoredThread } from "./find-stored.ts";
import { logAfter } from "./load-graph.ts";

/** Kills clients and the server under load, each so many times, and looks whether anything is missing. */
export function describeDisturbedLoad(times: number): void {
  describeWithPostgres(
    "20 threads in three processes, under kill -9 of a client and pg_ctl restart -m immediate",
    () => {
      const seed = seedOfThisRun();
      let directory = "";
      let server: PostgresServer;
      let checkpointer: Checkpointer;
      let load: Disturbed;
      let stored: readonly StoredThread[];

      beforeAll(async () => {
        directory = await mkdtemp(join(tmpdir(), "perdure-load-"));
        server = await startPostgres(); // of its own: the other tests need theirs
        load = await disturbLoad({ server, directory, seed, times });
        checkpointer = await openCheckpointer(server.url);
        stored = await findStored(checkpointer, load.threads);
        const begun = linesAt(load.lines, "began");
        console.info(
          [
            `PERDURE_SEED=${seed}: ${load.kills} kills and ${load.restarts} restarts`,
            `${linesAt(load.lines, "stored").length} acknowledged commits`,
            `${load.threads.length} threads, ${linesAt(load.lines, "returned").length} calls`,
            `${callsOverRestarts(load.lines)} of them over a restart`,
            `${begun.length} tasks begun, ${begun.length - new Set(begun.map(({ task }) => task)).size} of them again`,
          ].join(", "),
        );
      }, CRASH_TIMEOUT_MS);
      afterAll(async () => {
        await checkpointer?.close();
        await server?.stop();
        await rm(directory, { recursive: true, force: true });
      });

      it("clients and the server were killed under load, and calls were under way each time", () => {
        expect(load).toMatchObject({ kills: times, restarts: times });
        expect(linesAt(load.lines, "stored").length, `seed ${seed}`).toBeGreaterThan(times * 50);
        expect(callsOverRestarts(load.lines), `seed ${seed}`).toBeGreaterThanOrEqual(times);
      });

      it("every acknowledged checkpoint and every acknowledged write is there, with what was in it", () => {
        expect(commitsLost(linesAt(load.lines, "stored"), stored), `seed ${seed}`).toEqual([]);
      });

      it("no survivor crashed or complained", () => {
        expect(load.complaints, `seed ${seed}`).toEqual([]);
      });

      it("runs went on by themselves: no call of a runner threw, and each came back if its process lived", () => {
        const threw = linesAt(load.lines, "threw").filter(({ thread }) => !thread.startsWith("plain"));
        expect(threw, `seed ${seed}`).toEqual([]);
        expect(callsWithoutEnd(load.lines), `seed ${seed}`).toEqual([]);
      });

      it("LangGraph alone was told that the server was away, and of nothing else", () => {
        const errors = linesAt(load.lines, "threw").filter(({ thread }) => thread.startsWith("plain"));
        expect(
          errors.filter(({ error }) => error !== "CHECKPOINTER_UNREACHABLE"),
          `seed ${seed}`,
        ).toEqual([]);
      });

      it("every thread came to the end of its turns, each of them once and in order", () => {
        for (const { thread, status, log, turn } of stored) {
          expect({ status, log }, `${thread}, seed ${seed}`).toEqual({ status: "done", log: logAfter(turn) });
        }
      });

      it("I2: only what was cut off ran again, and no effect was repeated once its task was finished", () => {
        expect(tasksRepeated(load.lines), `seed ${seed}`).toEqual([]);
        expect(effectsRepeated(load.lines), `seed ${seed}`).toEqual([]);
      });

      it("I4: each checkpoint of a runner's thread stands on the one before", () => {
        for (const { thread, checkpoints } of stored.filter(({ thread }) => !thread.startsWith("plain"))) {
          const ids = [...checkpoints.keys()].sort();
          const parents = ids.map((id) => checkpoints.get(id)?.parentId);
          expect(parents, `${thread}, seed ${seed}`).toEqual([undefined, ...ids.slice(0, -1)]);
        }
      });
    },
  );
}
