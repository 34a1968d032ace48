import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { waitForSignal } from "perdure/nodes";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";

const Heard = Annotation.Root({
  heard: Annotation<unknown[], unknown[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});

function graphs() {
  const both = new StateGraph(Heard)
    .addNode("ask", () => ({ heard: [interrupt("May I?")] }))
    .addNode("hear", async () => ({ heard: [await waitForSignal("word", z.string())] }))
    .addEdge(START, "ask")
    .addEdge("ask", "hear")
    .addConditionalEdges("hear", ({ heard }) => (heard.length < 6 ? "ask" : "__end__"));
  return { both };
}

describeWithTemporal("an answer and signals that come at the same moment", () => {
  const made = graphs();
  let rig: TemporalRig<typeof made>;
  beforeAll(async () => {
    rig = await temporalRig(made);
  });
  afterAll(() => rig.stop());

  it("are both taken, whichever is committed first, and the run goes on", async () => {
    const results = Array.from({ length: 8 }, async () => {
      const run = await rig.executor.execute("both", { id: rig.newId(), input: {} });
      const asked = new Set<string>();
      const question = async (): Promise<string | undefined> =>
        (await rig.executor.query(run.id, "state")).interrupts.find(
          ({ id, kind }) => kind === "input" && !asked.has(id),
        )?.id;
      for (const round of [0, 1, 2]) {
        await expect.poll(question, { interval: 10 }).toBeDefined();
        const id = (await question())!;
        asked.add(id);
        const signal = (name: string): Promise<void> => rig.executor.signal(run.id, { name, payload: `word ${round}` });
        await Promise.all([signal("other"), signal("word"), rig.executor.resume(run.id, { [id]: `answer ${round}` })]);
      }
      return run.result();
    });
    const heard = [0, 1, 2].flatMap((round) => [`answer ${round}`, `word ${round}`]);
    expect(await Promise.all(results)).toEqual(results.map(() => ({ heard })));
  });
});
