import { setTimeout as delay } from "node:timers/promises";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { waitForSignal } from "perdure/nodes";
import { z } from "zod";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";
import { runsOfChain } from "../temporal-bridge/runs-of-chain.ts";

/** Each signal is asked for by one step in 25. */
const SIGNALS = 200;
const STEPS = 25 * SIGNALS;
const LONGEST_MS = 3_600_000;

const list = Annotation<unknown[], unknown[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] });
const State = Annotation.Root({
  notes: list,
  heard: list,
  ticks: Annotation<number, number>({ reducer: (_, next) => next, default: () => 0 }),
});

function graphs() {
  const long = new StateGraph(State)
    .addNode("tick", ({ ticks }) => ({ ticks: ticks + 1, ...(ticks % 50 === 0 ? { notes: [`tick ${ticks}`] } : {}) }))
    .addNode("hear", async ({ ticks }) => ({ ticks: ticks + 1, heard: [await waitForSignal("word", z.number())] }))
    .addEdge(START, "tick")
    .addConditionalEdges("tick", ({ ticks }) => (ticks % 25 === 24 ? "hear" : "tick"))
    .addConditionalEdges("hear", ({ ticks }) => (ticks < STEPS ? "tick" : "__end__"));
  return { long };
}

describeWithPostgres("a run of 5,000 steps with a state of 1 MB", () => {
  describeWithTemporal("on Temporal", () => {
    const made = graphs();
    const notes = Array.from({ length: 1_024 }, (_, index) => `${index} `.padEnd(1_024, "x"));
    let database: FreshDatabase;
    let checkpointer: Checkpointer;
    beforeAll(async () => {
      database = await freshDatabase();
      checkpointer = await openCheckpointer(database.url);
    });
    afterAll(async () => {
      await checkpointer.close();
      await database.drop();
    });

    it.each(["burst", "node"] as const)(
      "keeps each history small, and hears all signals, at granularity %s",
      async (granularity) => {
        const rig = await temporalRig(made, { checkpointer, settings: { long: { granularity } } });
        try {
          const begin = performance.now();
          const run = await rig.executor.execute("long", { id: rig.newId(), input: { notes } });
          await sendAll(rig, run.id);
          const values = await run.result();
          const seconds = (performance.now() - begin) / 1_000;
          const chain = await runsOfChain(rig.client, run.id, run.runId);
          const described = await Promise.all(
            chain.map((runId) => rig.client.workflow.getHandle(run.id, runId).describe()),
          );
          const events = described.map(({ historyLength }) => historyLength);
          const bytes = described.map(({ historySize = 0 }) => historySize);
          console.info(
            `${granularity}: ${STEPS} steps in ${seconds.toFixed(0)} s (${(STEPS / seconds).toFixed(0)} a second), ${chain.length} workflow runs, at most ${Math.max(...events)} events and ${Math.max(...bytes)} bytes`,
          );
          expect(values.heard).toEqual(Array.from({ length: SIGNALS }, (_, index) => index));
          expect(values.ticks).toBe(STEPS);
          expect(values.notes.slice(0, notes.length)).toEqual(notes);
          expect(Math.max(...events)).toBeLessThan(10_000);
          expect(Math.max(...bytes)).toBeLessThan(5 * 1024 * 1024);
          expect(Math.min(...bytes)).toBeGreaterThan(0);
        } finally {
          await rig.stop();
        }
      },
      LONGEST_MS,
    );
  });
});

/** Sends signals as long as the run lasts: some before they are asked for, some later. */
async function sendAll(rig: TemporalRig<ReturnType<typeof graphs>>, id: string): Promise<void> {
  for (let sent = 0; sent < SIGNALS;) {
    const { step } = await rig.executor.query(id, "state");
    if (sent > step / 25 + 2) await delay(20);
    else {
      await rig.executor.signal(id, { name: "word", payload: sent });
      sent += 1;
    }
  }
}
