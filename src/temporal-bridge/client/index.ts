export { createTemporalExecutor } from "./create-temporal-executor.ts";
export type { TemporalExecuteOptions, TemporalExecutor, TemporalExecutorOptions } from "./create-temporal-executor.ts";
export { PerdurePlugin } from "./perdure-plugin.ts";
export type {
  DurableExecutor,
  ExecuteOptions,
  ListRunsOptions,
  RunHandle,
  RunState,
  RunStatus,
  RunSummary,
  StartedRun,
} from "../../executor/index.ts";
