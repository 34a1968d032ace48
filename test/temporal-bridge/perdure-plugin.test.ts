import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { interrupt } from "@langchain/langgraph";
import { Client, Connection } from "@temporalio/client";
import { NativeConnection, Worker } from "@temporalio/worker";
import type { WorkerOptions } from "@temporalio/worker";
import { openCheckpointer } from "perdure/checkpoint";
import { PerdurePlugin as ClientPlugin, createTemporalExecutor } from "perdure/temporal/client";
import type { TemporalExecutor } from "perdure/temporal/client";
import { PerdurePlugin } from "perdure/temporal/worker";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { collect } from "../support/collect.ts";
import { oneNodeGraph } from "../support/one-node-graph.ts";
import { describeWithTemporal } from "../support/temporal.ts";
import { threeNodes } from "../support/three-nodes.ts";

const checkpointer = await openCheckpointer("memory:");
const graphs = { three: threeNodes().graph, asks: oneNodeGraph(() => interrupt("go on?")).graph };
const OURS = ["graphStart", "graphTasks", "graphAnswers", "graphClose"];

describe("the worker's PerdurePlugin", () => {
  const plugin = new PerdurePlugin({ graphs, checkpointer });
  const configured = (options: Partial<WorkerOptions>, by = plugin) =>
    by.configureWorker({ taskQueue: "t", ...options });

  it("adds the activities beside those that are there", () => {
    const greeting = async () => "hello";
    expect(Object.keys(configured({}).activities ?? {})).toEqual(OURS);
    expect(Object.keys(configured({ activities: { greeting } }).activities ?? {})).toEqual(["greeting", ...OURS]);
  });

  it("adds the workflow only where there are none, no bundle, and where workflows run at all", () => {
    const ours = expect.stringMatching(/temporal-bridge\/workflow\/index\.ts$/u) as string;
    expect(configured({}).workflowsPath).toEqual(ours);
    expect(configured({ workflowsPath: "/own.ts" }).workflowsPath).toBe("/own.ts");
    expect(configured({ workflowBundle: { code: "" } })).not.toHaveProperty("workflowsPath");
    const activities = new PerdurePlugin({ graphs, checkpointer, activitiesOnly: true });
    expect(configured({}, activities)).not.toHaveProperty("workflowsPath");
    expect(configured({ workflowsPath: "/own.ts" }, activities).workflowsPath).toBe("/own.ts");
    expect(plugin.configureReplayWorker({}).workflowsPath).toEqual(ours);
    expect(plugin.configureBundler({ workflowsPath: "/own.ts" }).workflowsPath).toBe("/own.ts");
  });

  it("has the workflow's modules loaded once for all runs, wherever it is bundled", () => {
    const preloadModules = [expect.stringMatching(/temporal-bridge\/workflow\/index\.ts$/u) as string];
    expect(configured({}).bundlerOptions).toEqual({ preloadModules });
    expect(configured({ workflowBundle: { code: "" } })).not.toHaveProperty("bundlerOptions");
    expect(plugin.configureBundler({ workflowsPath: "/own.ts" })).toMatchObject({ preloadModules });
  });

  it("leaves what the worker says of itself as it is", () => {
    expect(configured({ maxHeartbeatThrottleInterval: 5 }).maxHeartbeatThrottleInterval).toBe(5);
    expect(configured({ maxConcurrentActivityTaskExecutions: 7 }).maxConcurrentActivityTaskExecutions).toBe(7);
  });

  it("refuses settings of a graph that is not there", () => {
    expect(() => new PerdurePlugin({ graphs, checkpointer, settings: { other: {} } })).toThrow("OPTIONS_INVALID");
  });

  it("refuses bursts together with what single nodes want, which a burst could not give them", () => {
    const [name = ""] = Object.keys(graphs);
    const settings = { [name]: { granularity: "burst", nodes: { pay: { taskQueue: "bank" } } } } as const;
    expect(() => new PerdurePlugin({ graphs, checkpointer, settings })).toThrow(/OPTIONS_INVALID.*a burst is one/su);
  });
});

describeWithTemporal("a worker and a client with a PerdurePlugin each", () => {
  const taskQueue = `plugin-${randomUUID()}`;
  let native: NativeConnection;
  let connection: Connection;
  let client: Client;
  let executor: TemporalExecutor<typeof graphs>;
  let worker: Worker;
  let running: Promise<void>;

  beforeAll(async () => {
    const address = inject("temporalAddress");
    native = await NativeConnection.connect({ address });
    connection = await Connection.connect({ address });
    client = new Client({ connection, plugins: [new ClientPlugin()] });
    executor = createTemporalExecutor<typeof graphs>({ client, taskQueue });
    worker = await Worker.create({
      connection: native,
      taskQueue,
      workflowsPath: fileURLToPath(new URL("own-workflows/index.ts", import.meta.url)),
      activities: { greeting: async (name: string) => `hello ${name}` },
      plugins: [new PerdurePlugin({ graphs, checkpointer })],
      bundlerOptions: {
        // `perdure` leads to the sources here, as in all tests
        webpackConfigHook: (config) => ({
          ...config,
          resolve: { ...config.resolve, conditionNames: ["perdure-source", "import", "default"] },
        }),
      },
    });
    running = worker.run();
  });
  afterAll(async () => {
    worker.shutdown();
    await running;
    await connection.close();
    await native.close();
  });

  /** The runs of a graph: a server lists them a moment after they began. */
  const listed = (graph: string) => async () => (await collect(executor.list({ graph }))).map(({ id }) => id);

  it("run graphs beside workflows of their own, and a plain client's runs are listed", async () => {
    const own = { taskQueue, workflowId: `greet-${taskQueue}` };
    expect(await client.workflow.execute("greet", { ...own, args: ["ann"] })).toBe("hello ann!");
    const workflowId = `three-${taskQueue}`;
    const args = [{ graph: "three", input: { log: "in" } }];
    await client.workflow.start("runGraph", { taskQueue, workflowId, args });
    expect(await executor.get<"three">(workflowId).result()).toEqual({ log: ["in", "a", "b", "c"] });
    await expect.poll(listed("three")).toContain(workflowId);
    expect((await client.workflow.getHandle(own.workflowId).describe()).memo ?? {}).toEqual({});
  });

  it("run a graph as a step of a workflow, which is answered as any other run", async () => {
    const id = `asks-${taskQueue}`;
    const own = { taskQueue, workflowId: `around-${id}` };
    const around = await client.workflow.start("withGraph", { ...own, args: [id, { log: ["in"] }] });
    await expect.poll(listed("asks")).toContain(id);
    const asked = async () => (await executor.query(id, "state")).interrupts;
    await expect.poll(asked).toMatchObject([{ kind: "input", value: "go on?" }]);
    const [question] = await asked();
    await executor.resume(id, { [question!.id]: "yes" });
    expect(await around.result()).toEqual({ log: ["in", "yes"] });
  });

  it.each([
    ["cancelled", "cancel", "Workflow execution cancelled"],
    ["terminated, of which only the child's policy tells it", "terminate", "terminated by user via frontend"],
  ] as const)("give the graph's thread back when the workflow around it is %s", async (_what, end, message) => {
    const id = `${end}-${taskQueue}`;
    const own = { taskQueue, workflowId: `around-${id}` };
    const around = await client.workflow.start("withGraph", { ...own, args: [id, { log: ["in"] }] });
    await expect.poll(listed("asks")).toContain(id);
    await expect.poll(async () => (await executor.query(id, "state")).interrupts).toHaveLength(1);
    await around[end]();
    await expect(around.result()).rejects.toThrow(message);
    await expect.poll(() => executor.get(id).status()).toBe("cancelled");
    expect((await checkpointer.readRecord(id))?.owner).toBeUndefined();
  });
});

describe("perdure/temporal/client", () => {
  it("loads nothing of a worker, and perdure/temporal/worker nothing of a client", async () => {
    const program = `
      import { registerHooks } from "node:module";
      const seen = [];
      registerHooks({ resolve(name, context, next) {
        const found = next(name, context);
        if (context.parentURL?.includes("/temporal-bridge/")) seen.push(found.url);
        return found;
      } });
      await import(process.argv[1]);
      console.log(JSON.stringify(seen));`;
    const loadedBy = async (name: string): Promise<string[]> => {
      const flags = ["--conditions=perdure-source", "--disable-warning=ExperimentalWarning", "--input-type=module"];
      const { stdout } = await promisify(execFile)(process.execPath, [...flags, "--eval", program, name]);
      return JSON.parse(stdout) as string[];
    };
    const [client, worker] = await Promise.all(["perdure/temporal/client", "perdure/temporal/worker"].map(loadedBy));
    const ofWorker = /temporal-bridge\/(worker|workflow)\/|@temporalio\/(worker|activity|workflow|testing)\//u;
    expect(client).not.toEqual([]);
    expect(client!.filter((url) => ofWorker.test(url))).toEqual([]);
    const ofClient = /temporal-bridge\/(client|workflow)\/|@temporalio\/(client|workflow)\//u;
    expect(worker).not.toEqual([]);
    expect(worker!.filter((url) => ofClient.test(url))).toEqual([]);
  });
});
