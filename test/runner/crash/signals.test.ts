import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { expect, it } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import { waitForSignal } from "perdure/nodes";
import { createRunner } from "perdure/runner";
import { z } from "zod";
import { overriding } from "../../support/crash-overriding.ts";

const State = Annotation.Root({
  log: Annotation<number[], number[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});

/** Two nodes in parallel, each of which waits for two scans. */
const graph = new StateGraph(State)
  .addNode("left", async () => ({
    log: [await waitForSignal("scan", z.number()), await waitForSignal("scan", z.number())],
  }))
  .addNode("right", async () => ({
    log: [await waitForSignal("scan", z.number()), await waitForSignal("scan", z.number())],
  }))
  .addEdge(START, "left")
  .addEdge(START, "right");

it("a signal sent again after it was taken is the same signal: it is not given to the next who waits", async () => {
  const checkpointer = await openCheckpointer("memory:");
  const runner = createRunner(graph, { name: "scans", checkpointer });
  const scan = (payload: number) => runner.signal("t", { name: "scan", payload, id: `scan ${payload}` });
  await runner.start("t", { log: [] });
  for (const payload of [1, 1, 2, 1, 2, 3]) {
    expect(await scan(payload)).toMatchObject({ status: "interrupted" });
  }
  expect(await scan(4)).toMatchObject({ status: "done", values: { log: [1, 2, 3, 4] } });
  await scan(4);
  expect(await checkpointer.readRecord("t")).toMatchObject({
    signals: [],
    takenSignals: ["scan 1", "scan 2", "scan 3", "scan 4"],
  });
});

it("signals that came early are given out in one go, one to each who waits", async () => {
  const checkpointer = await openCheckpointer("memory:");
  const runner = createRunner(graph, { name: "scans", checkpointer });
  for (const payload of [1, 2, 3, 4]) await runner.signal("t", { name: "scan", payload });
  expect(await runner.start("t", { log: [] })).toMatchObject({ status: "done" });
  expect(new Set((await runner.inspect("t")).values.log)).toEqual(new Set([1, 2, 3, 4]));
});

it("a signal that was given away while somebody else looked is not given away again", async () => {
  const checkpointer = await openCheckpointer("memory:");
  const runner = createRunner(graph, { name: "scans", checkpointer });
  await runner.start("t", { log: [] });
  const looked = Promise.withResolvers<void>();
  const given = Promise.withResolvers<void>();
  // reads the record, and the checkpoint only when the signal was given away
  const slow = overriding(checkpointer, {
    getTuple: async (config) => {
      await given.promise;
      return checkpointer.getTuple(config);
    },
    readRecord: async (threadId) => {
      const record = await checkpointer.readRecord(threadId);
      looked.resolve();
      return record;
    },
  });
  const scan = { name: "scan", payload: 1, id: "scan 1" };

  const late = createRunner(graph, { name: "scans", checkpointer: slow }).signal("t", scan);
  await looked.promise;
  const { interrupts } = (await runner.signal("t", scan)) ?? { interrupts: [] };
  given.resolve();

  expect(await late).toMatchObject({ interrupts });
  expect(await runner.inspect("t")).toMatchObject({ interrupts });
  expect(interrupts).toHaveLength(2);
});
