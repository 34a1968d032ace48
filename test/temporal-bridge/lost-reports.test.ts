import { MockActivityEnvironment } from "@temporalio/testing";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { graphActivities } from "../../src/temporal-bridge/worker/graph-activities.ts";
import type { GraphActivities, Report } from "../../src/temporal-bridge/shared/protocol.ts";
import { WireCodec } from "../../src/temporal-bridge/shared/wire-codec.ts";
import { threeNodes } from "../support/three-nodes.ts";

type Request<Name extends keyof GraphActivities> = Parameters<GraphActivities[Name]>[0];
type Result<Name extends keyof GraphActivities> = ReturnType<GraphActivities[Name]>;

const PLACE = { graph: "three", turnId: "run" };

describe("an activity whose worker died when all was stored and nothing reported", () => {
  let checkpointer: Checkpointer;
  let runs: string[];
  beforeEach(async () => {
    checkpointer = await openCheckpointer("memory:");
  });
  afterEach(() => checkpointer.close());

  function workerWith(granularity: "node" | "burst") {
    const three = threeNodes();
    ({ runs } = three);
    const activities = graphActivities({
      graphs: { three: three.graph },
      checkpointer,
      settings: { three: { granularity } },
    });

    /** One attempt of an activity, in an environment of its own as another process would have it. */
    function attempt<Name extends keyof GraphActivities>(
      nth: number,
      name: Name,
      request: Request<Name>,
    ): Result<Name> {
      const environment = new MockActivityEnvironment({
        attempt: nth,
        workflowExecution: { workflowId: "case-42", runId: "run" },
        workflowNamespace: "default",
        heartbeatTimeoutMs: 60_000,
      });
      const activity = (given: Request<Name>): Promise<unknown> => activities[name](given as never);
      return environment.run<[Request<Name>], unknown, typeof activity>(activity, request) as Result<Name>;
    }

    return {
      attempt,
      /** What both attempts report, which is the same. */
      async twice<Name extends keyof GraphActivities>(
        name: Name,
        request: Request<Name>,
      ): Promise<Awaited<Result<Name>>> {
        const report = await attempt(1, name, request);
        expect(await attempt(2, name, request)).toEqual(report);
        return report;
      },
    };
  }

  it("reports the same again, from the beginning of a run to its end", async () => {
    const worker = workerWith("node");
    const { report } = await worker.twice("graphStart", { ...PLACE, input: { log: "in" } });
    let { checkpointId, tasks } = report;
    let last: Report | undefined;
    for (const node of ["a", "b", "c"]) {
      last = await worker.twice("graphTasks", { ...PLACE, checkpointId, node, tasks: tasks[node]! });
      if (last.kind === "thread") ({ checkpointId, tasks } = last);
    }
    expect(last).toMatchObject({ status: "done", result: { values: { log: ["in", "a", "b", "c"] } } });
    expect(runs).toEqual(["a", "b", "c"]);
  });

  it.each(["node", "burst"] as const)(
    "reports the end again of a thread that it took over (%s)",
    async (granularity) => {
      const worker = workerWith(granularity);
      const runner = createRunner(threeNodes().graph, { name: "three", checkpointer });
      await runner.start("case-42", { log: "in" });
      const { report } = await worker.twice("graphStart", PLACE);
      expect(report).toMatchObject({ status: "done", result: { values: { log: ["in", "a", "b", "c"] } } });
    },
  );

  it("reports the end of a burst again that went on with a thread", async () => {
    const worker = workerWith("burst");
    const runner = createRunner(threeNodes().graph, { name: "three", checkpointer });
    await runner.start("case-42", { log: "in" }, { drive: false });
    const { report } = await worker.twice("graphStart", PLACE);
    expect(report).toMatchObject({ status: "done", result: { values: { log: ["in", "a", "b", "c"] } } });
    expect(runs).toEqual(["a", "b", "c"]);
  });

  it("reports the end again where a question was due beside what ended it", async () => {
    const worker = workerWith("burst");
    const { report } = await worker.attempt(1, "graphStart", { ...PLACE, input: { log: "in" } });
    const { checkpointId } = report;
    const due = ["a question that the end has closed"];
    expect(await worker.twice("graphAnswers", { ...PLACE, checkpointId, due })).toMatchObject({ status: "done" });
  });

  it("refuses an input that was dropped before it was stored, as after a reset", async () => {
    const worker = workerWith("node");
    const input = await new WireCodec(checkpointer).encode({ log: "x".repeat(300_000) });
    await worker.attempt(1, "graphClose", { ...PLACE, unused: [input] });
    await expect(worker.attempt(1, "graphStart", { ...PLACE, input })).rejects.toMatchObject({
      type: "CHECKPOINT_NOT_FOUND",
      nonRetryable: true,
    });
  });

  it("reports the end of a burst again that began with the run", async () => {
    const worker = workerWith("burst");
    const { report } = await worker.twice("graphStart", { ...PLACE, input: { log: "in" } });
    expect(report).toMatchObject({ status: "done", result: { values: { log: ["in", "a", "b", "c"] } } });
    expect(runs).toEqual(["a", "b", "c"]);
  });
});
