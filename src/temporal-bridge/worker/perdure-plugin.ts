import { SimplePlugin } from "@temporalio/plugin";
import type { BundleOptions, ReplayWorkerOptions, Worker, WorkerOptions } from "@temporalio/worker";
import { graphActivities } from "./graph-activities.ts";
import type { HostOptions } from "./hosted-graph.ts";
import { OwnWorkers } from "./own-workers.ts";
import { WORKER_DEFAULTS, bundlerOptions, workflowsPath } from "./worker-defaults.ts";

/** Options of the worker's {@link PerdurePlugin}. */
export interface PerdurePluginOptions extends HostOptions {
  /** Run no workflows, for workers of a node's own task queue. @default false */
  readonly activitiesOnly?: boolean;
}

/**
 * Has a worker of yours run graphs: `Worker.create({ taskQueue, plugins: [new PerdurePlugin({ graphs, checkpointer })] })`. It adds
 * the activities, beside yours, and the workflow where you name none. A worker with workflows of its own re-exports it from their
 * module: `export { runGraph } from "perdure/temporal/workflow"`.
 * @throws OPTIONS_INVALID
 */
export class PerdurePlugin extends SimplePlugin {
  readonly #activitiesOnly: boolean;
  readonly #workers: OwnWorkers;

  constructor({ activitiesOnly = false, ...host }: PerdurePluginOptions) {
    const workers = new OwnWorkers();
    super({
      name: "perdure",
      activities: { ...graphActivities(host, workers) },
      workflowsPath: (own) => own ?? workflowsPath(),
    });
    this.#activitiesOnly = activitiesOnly;
    this.#workers = workers;
  }

  override async runWorker(worker: Worker, next: (worker: Worker) => Promise<void>): Promise<void> {
    this.#workers.add(worker);
    try {
      await super.runWorker(worker, next);
    } finally {
      this.#workers.delete(worker);
    }
  }

  override configureWorker(options: WorkerOptions): WorkerOptions {
    const configured = super.configureWorker({ ...WORKER_DEFAULTS, ...options });
    const isBundling = options.workflowBundle === undefined && !this.#activitiesOnly;
    const bundling = isBundling ? { bundlerOptions: bundlerOptions(options.bundlerOptions) } : {};
    return this.#withOwnWorkflows(options, { ...configured, ...bundling });
  }

  override configureReplayWorker(options: ReplayWorkerOptions): ReplayWorkerOptions {
    return this.#withOwnWorkflows(options, super.configureReplayWorker(options));
  }

  override configureBundler(options: BundleOptions): BundleOptions {
    const configured = super.configureBundler(options);
    return { ...configured, ...bundlerOptions(configured) };
  }

  /** A bundle holds workflows already, and a worker of activities none. */
  #withOwnWorkflows<Options extends ReplayWorkerOptions>(given: Options, configured: Options): Options {
    if (given.workflowBundle === undefined && !this.#activitiesOnly) return configured;
    const { workflowsPath: _, ...rest } = configured;
    return { ...rest, ...(given.workflowsPath === undefined ? {} : { workflowsPath: given.workflowsPath }) } as Options;
  }
}
