import { randomUUID } from "node:crypto";
import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { createTemporalExecutor } from "perdure/temporal/client";
import type { ListRunsOptions, TemporalExecutor } from "perdure/temporal/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect } from "../../support/collect.ts";
import { describeWithTemporal, temporalRig } from "../../support/temporal.ts";
import type { TemporalRig } from "../../support/temporal.ts";

const State = Annotation.Root({ answer: Annotation<unknown> });
const make = () => ({
  asks: new StateGraph(State).addNode("ask", () => ({ answer: interrupt("?") as unknown })).addEdge(START, "ask"),
  fails: new StateGraph(State)
    .addNode("fail", () => {
      throw new Error("broken");
    })
    .addEdge(START, "fail"),
});

describeWithTemporal("the list of runs", () => {
  let rig: TemporalRig<ReturnType<typeof make>>;
  beforeAll(async () => {
    rig = await temporalRig(make());
    // a server of one's own has them from its set-up
    await rig.client.connection.operatorService
      .addSearchAttributes({ namespace: "default", searchAttributes: { PerdureGraph: 2, PerdureStatus: 2 } })
      .catch((error: unknown) => {
        if (!String(error).includes("already exist")) throw error;
      });
  });
  afterAll(() => rig.stop());

  describe.each([
    ["by the memo", false],
    ["by search attributes", true],
  ])("%s", (_how, searchAttributes) => {
    let executor: TemporalExecutor<ReturnType<typeof make>>;
    const prefix = randomUUID();
    const id = (name: string): string => `${prefix}-${name}`;

    async function listed(options: ListRunsOptions): Promise<string[]> {
      const runs = await collect(executor.list({ limit: 1_000, ...options }));
      return runs.filter((run) => run.id.startsWith(prefix)).map((run) => run.id.slice(prefix.length + 1));
    }

    beforeAll(async () => {
      const { client, taskQueue } = rig;
      executor = createTemporalExecutor({ client, taskQueue, searchAttributes });
      await executor.execute("asks", { id: id("waits"), input: {} });
      await executor.execute("asks", { id: id("answered"), input: {} });
      await executor.execute("asks", { id: id("stopped"), input: {} });
      await executor.execute("asks", { id: id("given back"), input: {} });
      const failing = await executor.execute("fails", { id: id("failed"), input: {} });
      await Promise.allSettled([failing.result()]);
      const { interrupts } = await rig.settled(id("answered"));
      await executor.resume(id("answered"), { [interrupts[0]!.id]: "yes" });
      await executor.get(id("answered")).result();
      await rig.settled(id("stopped"));
      await executor.cancel(id("stopped"));
      await Promise.allSettled([executor.get(id("stopped")).result()]);
      await rig.settled(id("given back"));
      await executor.release(id("given back"));
      await rig.settled(id("waits"));
    });

    it.each([
      ["interrupted", ["waits"]],
      ["done", ["answered"]],
      ["error", ["failed"]],
      ["cancelled", ["stopped"]],
      ["released", ["given back"]],
      ["running", []],
    ] as const)("has those that are %s", async (status, names) => {
      await expect.poll(() => listed({ status })).toEqual(names);
    });

    it("has those of a graph, those under way first, then the newest", async () => {
      await expect.poll(() => listed({ graph: "asks" })).toEqual(["waits", "given back", "stopped", "answered"]);
      await expect.poll(() => listed({ graph: 'as"ks' })).toEqual([]);
    });

    it("ends at its limit, and says of each run when it began and ended", async () => {
      // the server lists what becomes of a run a moment later
      await expect.poll(() => listed({ graph: "fails", status: "error" })).toHaveLength(1);
      const [run, ...others] = await collect(executor.list({ limit: 1, graph: "fails" }));
      expect(others).toEqual([]);
      expect(run).toMatchObject({ graph: "fails", status: "error", startedAt: expect.any(Date) });
      expect(run!.endedAt!.getTime()).toBeGreaterThanOrEqual(run!.startedAt.getTime());
    });
  });

  it("refuses a status there is not", async () => {
    await expect(collect(rig.executor.list({ status: "lost" as never }))).rejects.toMatchObject({
      code: "OPTIONS_INVALID",
    });
  });
});
