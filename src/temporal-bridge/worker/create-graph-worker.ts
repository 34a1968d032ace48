import { DefaultLogger, Worker, bundleWorkflowCode } from "@temporalio/worker";
import type { BundleOptions, NativeConnection, WorkerOptions, WorkflowBundleWithSourceMap } from "@temporalio/worker";
import type { Checkpointer } from "../../checkpoint/index.ts";
import { graphActivities } from "./graph-activities.ts";
import type { GraphMap, GraphSettings } from "./graph-settings.ts";
import { OwnWorkers } from "./own-workers.ts";
import { WORKER_DEFAULTS, bundlerOptions, workflowsPath } from "./worker-defaults.ts";

/** Options of {@link createGraphWorker}. */
export interface GraphWorkerOptions {
  /** To the Temporal server, from `NativeConnection.connect`. @default localhost:7233 */
  readonly connection?: NativeConnection;
  /** @default "default" */
  readonly namespace?: string;
  readonly taskQueue: string;
  /** The graphs it runs, by the names that clients start them by. */
  readonly graphs: GraphMap;
  /** Where their threads live: shared by all workers, so a Postgres one where there is more than one. */
  readonly checkpointer: Checkpointer;
  /** How the activities of each graph are scheduled. */
  readonly settings?: Readonly<Record<string, GraphSettings>>;
  /** Run no workflows, for workers of a node's own task queue. @default false */
  readonly activitiesOnly?: boolean;
  /**
   * Anything else that `Worker.create` takes, such as a data converter, interceptors, limits, or a `workflowBundle` made
   * ahead by `bundleGraphWorkflows`.
   */
  readonly worker?: Partial<Omit<WorkerOptions, "taskQueue" | "workflowsPath">>;
}

/**
 * Bundles the workflow that drives graphs, as `createGraphWorker` does it when it starts: write `code` to a file when
 * you build, and pass `worker: { workflowBundle: { codePath } }`. It holds no code of yours.
 * @param options what Temporal's `bundleWorkflowCode` takes besides, such as the path of a payload converter
 */
export function bundleGraphWorkflows(
  options: Omit<BundleOptions, "workflowsPath"> = {},
): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    logger: new DefaultLogger("WARN"),
    ...options,
    ...bundlerOptions(options),
    workflowsPath: workflowsPath(),
  });
}

/**
 * A Temporal worker that runs graphs: `await worker.run()`. The graphs are ordinary code of this process; what runs in
 * Temporal's sandbox is perdure's own workflow.
 * @throws OPTIONS_INVALID
 */
export async function createGraphWorker(options: GraphWorkerOptions): Promise<Worker> {
  const { connection, namespace, taskQueue, activitiesOnly = false, worker = {} } = options;
  const workers = new OwnWorkers();
  const created = await Worker.create({
    ...WORKER_DEFAULTS,
    ...worker,
    taskQueue,
    ...(connection === undefined ? {} : { connection }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(activitiesOnly || worker.workflowBundle !== undefined
      ? {}
      : { workflowsPath: workflowsPath(), bundlerOptions: bundlerOptions(worker.bundlerOptions) }),
    activities: { ...worker.activities, ...graphActivities(options, workers) },
  });
  workers.add(created);
  return created;
}
