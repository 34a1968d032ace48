import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Annotation, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { describeWithPostgres } from "../support/fresh-database.ts";
import { startPostgres } from "../support/postgres.ts";
import type { PostgresServer } from "../support/postgres.ts";
import { startTemporal } from "../support/temporal-server.ts";
import type { TemporalServer } from "../support/temporal-server.ts";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";

const ROUNDS = 4;
const WIDTH = 3;
const RUNS = 4;

const Log = Annotation.Root({
  log: Annotation<string[], string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
  round: Annotation<number, number>({ reducer: (_, next) => next, default: () => 0 }),
});

/** How often each task has come to its end. */
const finished = new Map<string, number>();

function graphs() {
  const work = async ({ round, item }: { round: number; item: number }): Promise<{ log: string[] }> => {
    await delay(100 + 30 * item); // the work itself
    return { log: [`work ${round}.${item}`] };
  };
  const spread = ({ round }: { round: number }) =>
    Array.from({ length: WIDTH }, (_, item) => new Send("work", { round, item }));
  const rounds = new StateGraph(Log)
    .addNode("work", async (input: { round: number; item: number }, { executionInfo }) => {
      const result = await work(input);
      const task = executionInfo?.taskId ?? "";
      finished.set(task, (finished.get(task) ?? 0) + 1);
      return result;
    })
    .addNode("gather", ({ round }) => ({ log: [`gather ${round}`], round: round + 1 }))
    .addConditionalEdges(START, spread)
    .addEdge("work", "gather")
    .addConditionalEdges("gather", (state) => (state.round < ROUNDS ? spread(state) : "__end__"));
  const asking = new StateGraph(Log).addNode("ask", () => ({ log: [interrupt("May I?")] })).addEdge(START, "ask");
  return { rounds, asking };
}

const FINISHED_LOG = Array.from({ length: ROUNDS }, (_, round) => [
  ...Array.from({ length: WIDTH }, (__, item) => `work ${round}.${item}`),
  `gather ${round}`,
]).flat();

describeWithPostgres("runs on Temporal and Postgres", () => {
  describeWithTemporal("when servers restart", () => {
    const made = graphs();
    let folder: string;
    let temporal: TemporalServer;
    let postgres: PostgresServer;
    let checkpointer: Checkpointer;
    let rig: TemporalRig<typeof made>;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "perdure-temporal-"));
      [temporal, postgres] = await Promise.all([
        startTemporal({ databaseFile: join(folder, "temporal.db") }),
        startPostgres(),
      ]);
      checkpointer = await openCheckpointer(postgres.url);
      const settings = { rounds: { heartbeatTimeoutMs: 1_500 } };
      rig = await temporalRig(made, { address: temporal.address, checkpointer, settings });
    });
    afterAll(async () => {
      await rig.stop();
      await checkpointer.close();
      await Promise.all([temporal.stop(), postgres.stop()]);
      await rm(folder, { recursive: true, force: true });
    });
    beforeEach(() => finished.clear());

    /** Runs under way, of which each has come so far that something can be lost. */
    async function underWay(): Promise<{ ids: string[]; logs: () => Promise<string[][]> }> {
      const ids = Array.from({ length: RUNS }, () => rig.newId());
      await Promise.all(ids.map((id) => rig.executor.execute("rounds", { id, input: {} })));
      await vi.waitUntil(() => finished.size >= RUNS, { interval: 5, timeout: 60_000 });
      const logs = () => Promise.all(ids.map(async (id) => (await rig.executor.get<"rounds">(id).result()).log));
      return { ids, logs };
    }

    it("go on by themselves after Temporal's server was killed, twice", async () => {
      const { logs } = await underWay();
      await temporal.restart("SIGKILL");
      const tasks = finished.size;
      await vi.waitUntil(() => finished.size > tasks, { interval: 5, timeout: 60_000 });
      await temporal.restart("SIGKILL");
      expect(await logs()).toEqual(Array.from({ length: RUNS }, () => FINISHED_LOG));
      // their results were stored, whatever Temporal has heard of it
      expect([...finished.values()].every((times) => times === 1)).toBe(true);
    });

    it("go on by themselves after Postgres fell down, twice", async () => {
      const { logs } = await underWay();
      await postgres.restart("immediate");
      const tasks = finished.size;
      await vi.waitUntil(() => finished.size > tasks, { interval: 5, timeout: 60_000 });
      await postgres.restart("immediate");
      expect(await logs()).toEqual(Array.from({ length: RUNS }, () => FINISHED_LOG));
    });

    it("that wait still wait after both, and take their answer", async () => {
      const run = await rig.executor.execute("asking", { id: rig.newId(), input: {} });
      const { interrupts } = await rig.settled(run.id);
      const result = run.result();
      await Promise.all([temporal.restart("SIGKILL"), postgres.restart("immediate")]);
      await vi.waitUntil(
        () =>
          rig.executor.resume(run.id, { [interrupts[0]!.id]: "yes" }).then(
            () => true,
            () => false,
          ),
        { interval: 100, timeout: 60_000 },
      );
      expect(await result).toMatchObject({ log: ["yes"] });
    });
  });
});
