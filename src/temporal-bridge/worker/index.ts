export { bundleGraphWorkflows, createGraphWorker } from "./create-graph-worker.ts";
export type { GraphWorkerOptions } from "./create-graph-worker.ts";
export { exportActivities } from "./export-activities.ts";
export type {
  ExportedActivities,
  NodeCallOptions,
  NodeQuestion,
  NodeResult,
  NodeState,
  NodeUpdate,
} from "./export-activities.ts";
export { PerdurePlugin } from "./perdure-plugin.ts";
export type { PerdurePluginOptions } from "./perdure-plugin.ts";
export type { BurstOptions, GraphMap, GraphSettings, NodeOptions } from "./graph-settings.ts";
