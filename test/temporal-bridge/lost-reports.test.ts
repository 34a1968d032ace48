import { MockActivityEnvironment } from "@temporalio/testing";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { graphActivities } from "../../src/temporal-bridge/worker/graph-activities.ts";
import type {
  AnswersRequest,
  GraphActivities,
  Report,
  StartReport,
  StartRequest,
  TasksRequest,
} from "../../src/temporal-bridge/shared/protocol.ts";
import { WireCodec } from "../../src/temporal-bridge/shared/wire-codec.ts";
import { threeNodes } from "../support/three-nodes.ts";

const PLACE = { graph: "three", turnId: "run" };

describe("an activity whose worker died when all was stored and nothing reported", () => {
  let checkpointer: Checkpointer;
  let runs: string[];
  beforeEach(async () => {
    checkpointer = await openCheckpointer("memory:");
  });
  afterEach(() => checkpointer.close());

  function activitiesOf(granularity: "node" | "burst"): GraphActivities {
    const three = threeNodes();
    ({ runs } = three);
    return graphActivities({ graphs: { three: three.graph }, checkpointer, settings: { three: { granularity } } });
  }

  function attempt<Request, Result>(
    nth: number,
    activity: (request: Request) => Promise<Result>,
    request: Request,
  ): Promise<Result> {
    const environment = new MockActivityEnvironment({
      attempt: nth,
      workflowExecution: { workflowId: "case-42", runId: "run" },
      workflowNamespace: "default",
      heartbeatTimeoutMs: 60_000,
    });
    return environment.run<[Request], Result, typeof activity>(activity, request);
  }

  /** What both attempts report, which is the same. */
  async function twice<Request, Result>(
    activity: (request: Request) => Promise<Result>,
    request: Request,
  ): Promise<Result> {
    const report = await attempt(1, activity, request);
    expect(await attempt(2, activity, request)).toEqual(report);
    return report;
  }

  it("reports the same again, from the beginning of a run to its end", async () => {
    const { graphStart, graphTasks } = activitiesOf("node");
    const { report } = await twice<StartRequest, StartReport>(graphStart, { ...PLACE, input: { log: "in" } });
    let { checkpointId, tasks } = report;
    let last: Report | undefined;
    for (const node of ["a", "b", "c"]) {
      last = await twice<TasksRequest, Report>(graphTasks, { ...PLACE, checkpointId, node, tasks: tasks[node]! });
      if (last.kind === "thread") ({ checkpointId, tasks } = last);
    }
    expect(last).toMatchObject({ status: "done", result: { values: { log: ["in", "a", "b", "c"] } } });
    expect(runs).toEqual(["a", "b", "c"]);
  });

  it.each(["node", "burst"] as const)(
    "reports the end again of a thread that it took over (%s)",
    async (granularity) => {
      const { graphStart } = activitiesOf(granularity);
      const runner = createRunner(threeNodes().graph, { name: "three", checkpointer });
      await runner.start("case-42", { log: "in" });
      const { report } = await twice<StartRequest, StartReport>(graphStart, PLACE);
      expect(report).toMatchObject({ status: "done", result: { values: { log: ["in", "a", "b", "c"] } } });
    },
  );

  it("reports the end of a burst again that went on with a thread", async () => {
    const { graphStart } = activitiesOf("burst");
    const runner = createRunner(threeNodes().graph, { name: "three", checkpointer });
    await runner.start("case-42", { log: "in" }, { drive: false });
    const { report } = await twice<StartRequest, StartReport>(graphStart, PLACE);
    expect(report).toMatchObject({ status: "done", result: { values: { log: ["in", "a", "b", "c"] } } });
    expect(runs).toEqual(["a", "b", "c"]);
  });

  it("reports the end again where a question was due beside what ended it", async () => {
    const { graphStart, graphAnswers } = activitiesOf("burst");
    const { report } = await attempt(1, graphStart, { ...PLACE, input: { log: "in" } });
    const { checkpointId } = report;
    const request: AnswersRequest = { ...PLACE, checkpointId, due: ["a question that the end has closed"] };
    expect(await twice<AnswersRequest, Report>(graphAnswers, request)).toMatchObject({ status: "done" });
  });

  it("refuses an input that was dropped before it was stored, as after a reset", async () => {
    const { graphStart, graphClose } = activitiesOf("node");
    const input = await new WireCodec(checkpointer).encode({ log: "x".repeat(300_000) });
    await attempt(1, graphClose, { ...PLACE, unused: [input] });
    await expect(attempt(1, graphStart, { ...PLACE, input })).rejects.toMatchObject({
      type: "CHECKPOINT_NOT_FOUND",
      nonRetryable: true,
    });
  });

  it("reports the end of a burst again that began with the run", async () => {
    const { graphStart } = activitiesOf("burst");
    const { report } = await twice<StartRequest, StartReport>(graphStart, { ...PLACE, input: { log: "in" } });
    expect(report).toMatchObject({ status: "done", result: { values: { log: ["in", "a", "b", "c"] } } });
    expect(runs).toEqual(["a", "b", "c"]);
  });
});
