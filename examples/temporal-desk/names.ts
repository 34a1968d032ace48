import type { WorkerSetup } from "../support-desk/protocol.ts";

/** By which the desk starts the graph, and the workers know it. */
export const GRAPH = "support-desk";

/** Where the workers poll. */
export const TASK_QUEUE = "support-desk";

/** Desk to worker. */
export type WorkerCommand =
  | {
      readonly type: "work";
      readonly setup: WorkerSetup;
      /** Of the Temporal server. */
      readonly address: string;
      /** The file that holds the workflow, bundled once for all workers. */
      readonly bundlePath: string;
    }
  /** Finish what is under way, and end. */
  | { readonly type: "stop" };
