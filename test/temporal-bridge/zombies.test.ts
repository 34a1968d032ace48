import { MockActivityEnvironment } from "@temporalio/testing";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { graphActivities } from "../../src/temporal-bridge/worker/graph-activities.ts";
import type {
  GraphActivities,
  Report,
  StartReport,
  StartRequest,
  TasksRequest,
} from "../../src/temporal-bridge/shared/protocol.ts";

const THREAD = "case-42";
const Log = Annotation.Root({
  log: Annotation<string[], string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});

describe("an activity that was taken for dead", () => {
  let checkpointer: Checkpointer;
  let activities: GraphActivities;
  /** What ran, and the holds in which each run of the first node stays. */
  let runs: string[];
  let holds: PromiseWithResolvers<void>[];
  const graph = new StateGraph(Log)
    .addNode("a", async () => {
      const nth = runs.push("a");
      const hold = (holds[nth - 1] = Promise.withResolvers<void>());
      await hold.promise;
      return { log: [`a${nth}`] };
    })
    .addNode("b", () => {
      runs.push("b");
      return { log: ["b"] };
    })
    .addNode("c", () => {
      runs.push("c");
      return { log: ["c"] };
    })
    .addEdge(START, "a")
    .addEdge("a", "b")
    .addEdge("b", "c");

  beforeEach(async () => {
    runs = [];
    holds = [];
    checkpointer = await openCheckpointer("memory:");
    activities = graphActivities({ graphs: { three: graph }, checkpointer });
  });
  afterEach(() => checkpointer.close());

  /** One attempt of an activity, in an environment of its own as another process would have it. */
  function attempt(nth: number, runId = "run", heartbeatTimeoutMs = 60_000): MockActivityEnvironment {
    return new MockActivityEnvironment({
      attempt: nth,
      workflowExecution: { workflowId: THREAD, runId },
      workflowNamespace: "default",
      heartbeatTimeoutMs,
    });
  }

  async function started(): Promise<TasksRequest> {
    const place = { graph: "three", turnId: "run" };
    const start = (request: StartRequest): Promise<StartReport> => activities.graphStart(request);
    const { report } = await attempt(1).run<[StartRequest], StartReport, typeof start>(start, {
      ...place,
      input: { log: [] },
    });
    return { ...place, checkpointId: report.checkpointId, tasks: report.tasks["a"]!, node: "a" };
  }

  const tasks = (request: TasksRequest): Promise<Report> => activities.graphTasks(request);
  const runTasks = (by: MockActivityEnvironment, request: TasksRequest): Promise<Report> =>
    by.run<[TasksRequest], Report, typeof tasks>(tasks, request);

  const history = async (): Promise<string[]> => {
    const all: string[] = [];
    for await (const { values } of createRunner(graph, { name: "three", checkpointer }).history(THREAD))
      all.unshift(values.log.join(" "));
    return all;
  };
  const reported = (report: Report): readonly string[] =>
    report.kind === "thread" ? Object.keys(report.tasks) : [report.kind];

  it("makes no second child: what its retry has stored stands, and both report the one head", async () => {
    const request = await started();
    const zombie = runTasks(attempt(1), request);
    await expect.poll(() => holds.length, { interval: 1 }).toBe(1);
    const retry = runTasks(attempt(2), request);
    await expect.poll(() => holds.length, { interval: 1 }).toBe(2);
    holds[1]!.resolve();
    const second = await retry;
    holds[0]!.resolve();
    const first = await zombie;
    expect(first).toEqual(second);
    expect(reported(second)).toEqual(["b"]);
    expect(await history()).toEqual(["", "", "a2"]);
    expect(runs).toEqual(["a", "a"]);
  });

  it("changes nothing when the thread is past it", async () => {
    const request = await started();
    const zombie = runTasks(attempt(1), request);
    await expect.poll(() => holds.length, { interval: 1 }).toBe(1);
    const retry = runTasks(attempt(2), request);
    await expect.poll(() => holds.length, { interval: 1 }).toBe(2);
    holds[1]!.resolve();
    const report = await retry;
    if (report.kind !== "thread") throw new Error("unreachable");
    const { checkpointId, tasks: ready } = report;
    await runTasks(attempt(1), { ...request, checkpointId, tasks: ready["b"]!, node: "b" });
    holds[0]!.resolve();
    expect(reported(await zombie)).toEqual(["c"]);
    expect(await history()).toEqual(["", "", "a2", "a2 b"]);
    expect(runs).toEqual(["a", "a", "b"]);
  });

  it("is refused when its run was reset meanwhile", async () => {
    const request = await started();
    const zombie = runTasks(attempt(1), request);
    await expect.poll(() => holds.length, { interval: 1 }).toBe(1);
    const after = runTasks(attempt(1, "reset"), request);
    await expect.poll(() => holds.length, { interval: 1 }).toBe(2);
    holds[1]!.resolve();
    await after;
    holds[0]!.resolve();
    await zombie.catch(() => {});
    await expect(runTasks(attempt(2), request)).rejects.toMatchObject({
      type: "THREAD_OWNED",
      nonRetryable: true,
    });
    expect(await history()).toEqual(["", "", "a2"]);
    expect(runs).toEqual(["a", "a"]);
  });

  it("begins nothing more of its burst", async () => {
    const { node: _, ...request } = await started();
    const zombie = runTasks(attempt(1), { ...request, burst: true });
    await expect.poll(() => holds.length, { interval: 1 }).toBe(1);
    const retry = runTasks(attempt(2), { ...request, burst: true });
    await expect.poll(() => holds.length, { interval: 1 }).toBe(2);
    holds[1]!.resolve();
    await retry;
    holds[0]!.resolve();
    await zombie;
    expect(await history()).toEqual(["", "", "a2", "a2 b", "a2 b c"]);
    expect(runs).toEqual(["a", "a", "b", "c"]);
  });

  it("stores nothing of what it did, when it notices that it stood still for longer than its heartbeat's timeout", async () => {
    const request = await started();
    const zombie = runTasks(attempt(1, "run", 150), request);
    await expect.poll(() => holds.length, { interval: 1 }).toBe(1);
    const end = performance.now() + 400;
    while (performance.now() < end); // nothing else in this process can run
    await expect(zombie).rejects.toMatchObject({ type: "WORKER_STOPPED", nonRetryable: false });
    holds[0]!.resolve();
    expect(await history()).toEqual(["", ""]);
  });
});
