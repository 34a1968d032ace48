export { bundleGraphWorkflows, createGraphWorker } from "./create-graph-worker.ts";
export type { GraphWorkerOptions } from "./create-graph-worker.ts";
export type { BurstOptions, GraphMap, GraphSettings, NodeOptions } from "./graph-settings.ts";
