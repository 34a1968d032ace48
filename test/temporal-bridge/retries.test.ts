import { Annotation, Command, START, Send, StateGraph } from "@langchain/langgraph";
import { withPolicies } from "perdure/nodes";
import { createGraphWorker } from "perdure/temporal/worker";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { NativeConnection } from "@temporalio/worker";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";
import { TextLog } from "../support/text-log.ts";

/** When each node ran, by its name. */
const ran: Record<string, number[]> = {};
/** What a run of a node does besides failing, by "name run". */
const during: Record<string, () => unknown> = {};

/** A node that fails so many times, and then says how often it ran. */
const failing =
  (name: string, times: number, message = "not yet") =>
  async () => {
    const runs = (ran[name] ??= []);
    runs.push(Date.now());
    const nth = runs.length;
    await during[`${name} ${nth}`]?.();
    if (nth <= times) throw new RangeError(`${message} (${nth})`);
    return { log: `${name} ${nth}` };
  };

const POLICY = { maxAttempts: 3, initialInterval: 300, backoffFactor: 2, jitter: false };

function graphs() {
  const policy = new StateGraph(TextLog)
    .addNode("node", failing("policy", 2), { retryPolicy: POLICY })
    .addEdge(START, "node");
  const defaults = new StateGraph(TextLog)
    .setNodeDefaults({ retryPolicy: POLICY })
    .addNode("node", failing("defaults", 2))
    .addEdge(START, "node");
  const policies = new StateGraph(TextLog)
    .addNode("node", withPolicies(failing("policies", 2), { retry: { attempts: 3, intervalMs: 300, jitter: false } }))
    .addEdge(START, "node");
  const both = new StateGraph(TextLog)
    .addNode("node", withPolicies(failing("both", Infinity), { retry: { attempts: 2, intervalMs: 1 } }), {
      retryPolicy: { ...POLICY, initialInterval: 1 },
    })
    .addEdge(START, "node");
  const handled = new StateGraph(TextLog)
    .addNode("node", failing("handled", Infinity), {
      retryPolicy: { ...POLICY, initialInterval: 1 },
      errorHandler: (_state, error) => {
        (ran["handler"] ??= []).push(Date.now());
        return new Command({ update: { log: `handled: ${String(error.error)}` } });
      },
    })
    .addEdge(START, "node");
  const slow = new StateGraph(TextLog)
    .addNode(
      "node",
      async () => {
        (ran["slow"] ??= []).push(Date.now());
        await new Promise((resolve) => setTimeout(resolve, ran["slow"]!.length === 1 ? 60_000 : 0).unref());
        return { log: `slow ${ran["slow"]!.length}` };
      },
      { timeout: 200, retryPolicy: { maxAttempts: 2, initialInterval: 1, jitter: false } },
    )
    .addEdge(START, "node");
  const tooSlow = new StateGraph(TextLog)
    .addNode("node", () => new Promise<never>((_, reject) => setTimeout(reject, 60_000).unref()), {
      timeout: 100,
      errorHandler: (_state, { error }) => new Command({ update: { log: `late: ${error.name}` } }),
    })
    .addEdge(START, "node");
  const crashing = new StateGraph(TextLog)
    .addNode("node", failing("crashing", Infinity), { retryPolicy: { ...POLICY, initialInterval: 1 } })
    .addEdge(START, "node");
  const moving = new StateGraph(TextLog)
    .addNode("node", failing("moving", Infinity), { retryPolicy: { ...POLICY, initialInterval: 1 } })
    .addEdge(START, "node");
  const queued = new StateGraph(Annotation.Root({ by: Annotation<string> }))
    .addNode("light", () => ({}))
    .addNode("heavy", () => ({ by: "this worker" }))
    .addEdge(START, "light")
    .addEdge("light", "heavy");
  const mixed = new StateGraph(TextLog)
    .addNode(
      "odd",
      (n: number) => {
        (ran[`odd ${n}`] ??= []).push(Date.now());
        if (n === 5 && ran["odd 5"]!.length === 1) throw new Error("once");
        return { log: `${n}` };
      },
      { retryPolicy: { ...POLICY, initialInterval: 1 } },
    )
    .addNode("even", (n: number) => ({ log: `${n}` }))
    .addConditionalEdges(START, () => Array.from({ length: 12 }, (_, n) => new Send(n % 2 === 1 ? "odd" : "even", n)), [
      "odd",
      "even",
    ]);
  return { policy, defaults, policies, both, handled, slow, tooSlow, crashing, moving, queued, mixed };
}

/** An activity of a run, as the history tells it. */
interface Scheduled {
  readonly request: { readonly node?: string; readonly tasks?: readonly string[] };
  readonly taskQueue: string;
  /** Which attempt it was that ended it; undefined while none has. */
  readonly attempt: number | undefined;
}

describeWithTemporal("a node that fails, on Temporal", () => {
  const made = graphs();
  let rig: TemporalRig<typeof made>;
  beforeAll(async () => {
    rig = await temporalRig(made, {
      settings: {
        mixed: { maxParallelActivities: 4 },
        crashing: { heartbeatTimeoutMs: 1_000 }, // a busy machine stands still for a moment too
        queued: { nodes: { heavy: { taskQueue: "test-heavy" } } },
      },
    });
  });
  beforeEach(() => {
    for (const name of Object.keys(ran)) delete ran[name];
  });
  afterAll(() => rig.stop());

  /** The activities that run nodes. */
  async function nodeActivities(id: string, from = rig): Promise<Scheduled[]> {
    const { events } = await from.client.workflow.getHandle(id).fetchHistory();
    const attempts = new Map(
      (events ?? []).map(({ activityTaskStartedEventAttributes: started }) => [
        String(started?.scheduledEventId),
        started?.attempt ?? undefined,
      ]),
    );
    return (events ?? []).flatMap(({ eventId, activityTaskScheduledEventAttributes: scheduled }) => {
      if (!scheduled || scheduled.activityType?.name !== "graphTasks") return [];
      const [payload] = scheduled.input?.payloads ?? [];
      return {
        request: JSON.parse(Buffer.from(payload?.data ?? []).toString()) as Scheduled["request"],
        taskQueue: scheduled.taskQueue?.name ?? "",
        attempt: attempts.get(String(eventId)),
      };
    });
  }

  describe.each(["policy", "defaults", "policies"] as const)("by its own rule for trying again (%s)", (name) => {
    it("makes one activity's attempts of it, with that rule's delays in between", async () => {
      const run = await rig.executor.execute(name, { id: rig.newId(), input: {} });
      expect(await run.result()).toEqual({ log: [`${name} 3`] });
      const [first = 0, second = 0, third = 0] = ran[name] ?? [];
      expect(ran[name]).toHaveLength(3);
      expect(second - first).toBeGreaterThanOrEqual(290);
      expect(third - second).toBeGreaterThanOrEqual(590);
      expect(await nodeActivities(run.id)).toMatchObject([{ request: { node: "node" }, attempt: 3 }]);
    });
  });

  it("with rules of two kinds is tried as often as the inner one says, not both multiplied", async () => {
    const run = await rig.executor.execute("both", { id: rig.newId(), input: {} });
    await expect(run.result()).rejects.toMatchObject({
      code: "RUN_FAILED",
      message: expect.stringContaining("RangeError: not yet (2)") as string,
    });
    expect(ran["both"]).toHaveLength(2);
    expect(await nodeActivities(run.id)).toMatchObject([{ attempt: 2 }]);
  });

  it("has its error handler's turn once, after the last attempt", async () => {
    const run = await rig.executor.execute("handled", { id: rig.newId(), input: {} });
    expect(await run.result()).toEqual({ log: ["handled: RangeError: not yet (3)"] });
    expect(ran["handled"]).toHaveLength(3);
    expect(ran["handler"]).toHaveLength(1);
    expect(ran["handler"]![0]).toBeGreaterThanOrEqual(ran["handled"]![2]!);
  });

  it("by its time limit is tried again, and its handler hears of the limit", async () => {
    const run = await rig.executor.execute("slow", { id: rig.newId(), input: {} });
    expect(await run.result()).toEqual({ log: ["slow 2"] });
    expect(await nodeActivities(run.id)).toMatchObject([{ attempt: 2 }]);
    const late = await rig.executor.execute("tooSlow", { id: rig.newId(), input: {} });
    expect(await late.result()).toEqual({ log: ["late: NodeTimeoutError"] });
  });

  it("is tried as often as its rule says, whatever a standstill of the process took besides", async () => {
    // longer than the heartbeat timeout, so Temporal ends the attempt as that of a dead worker; over before the next one is due
    during["crashing 2"] = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
    const run = await rig.executor.execute("crashing", { id: rig.newId(), input: {} });
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
    expect(ran["crashing"]).toHaveLength(4);
    expect(await nodeActivities(run.id)).toMatchObject([{ attempt: 4 }]);
  });

  it("is tried as often as its rule says, though its worker was shut down in between", async () => {
    const { checkpointer } = rig;
    const taskQueue = `moving-${rig.newId()}`;
    const deploy = () => temporalRig({ moving: made.moving }, { checkpointer, taskQueue });
    const first = await deploy();
    const held = Promise.withResolvers<void>();
    during["moving 2"] = () => held.promise;
    const run = await first.executor.execute("moving", { id: rig.newId(), input: {} });
    await expect.poll(() => ran["moving"]?.length).toBe(2);
    await first.stop();
    const second = await deploy();
    await expect(second.executor.get(run.id).result()).rejects.toMatchObject({ code: "RUN_FAILED" });
    held.resolve();
    expect(ran["moving"]).toHaveLength(4);
    expect(await nodeActivities(run.id, second)).toMatchObject([{ attempt: 4 }]);
    await second.stop();
  });

  it("or does not, runs on a task queue of its own where it has one", async () => {
    const connection = await NativeConnection.connect({ address: inject("temporalAddress") });
    const elsewhere = new StateGraph(Annotation.Root({ by: Annotation<string> }))
      .addNode("light", () => ({}))
      .addNode("heavy", () => ({ by: "the heavy worker" }))
      .addEdge(START, "light")
      .addEdge("light", "heavy");
    const worker = await createGraphWorker({
      connection,
      taskQueue: "test-heavy",
      graphs: { queued: elsewhere },
      checkpointer: rig.checkpointer,
      activitiesOnly: true,
    });
    const running = worker.run();
    const run = await rig.executor.execute("queued", { id: rig.newId(), input: {} });
    expect(await run.result()).toEqual({ by: "the heavy worker" });
    expect(await nodeActivities(run.id)).toMatchObject([
      { request: { node: "light" }, taskQueue: rig.taskQueue },
      { request: { node: "heavy" }, taskQueue: "test-heavy" },
    ]);
    worker.shutdown();
    await running;
    await connection.close();
  });

  it("shares its activity with tasks of the same node only, and they do not run again", async () => {
    const run = await rig.executor.execute("mixed", { id: rig.newId(), input: {} });
    expect(await run.result()).toEqual({ log: Array.from({ length: 12 }, (_, n) => `${n}`) });
    const batches = (await nodeActivities(run.id)).filter(({ request }) => (request.tasks?.length ?? 0) > 0);
    expect(batches.map(({ request }) => `${request.node} ${request.tasks?.length}`).toSorted()).toEqual([
      "even 3",
      "even 3",
      "odd 3",
      "odd 3",
    ]);
    expect(batches.filter(({ attempt }) => attempt === 2)).toHaveLength(1);
    expect(Object.fromEntries(Object.entries(ran).map(([name, runs]) => [name, runs.length]))).toEqual({
      "odd 1": 1,
      "odd 3": 1,
      "odd 5": 2,
      "odd 7": 1,
      "odd 9": 1,
      "odd 11": 1,
    });
  });
});
