export type {
  DurableExecutor,
  ExecuteOptions,
  GraphsByName,
  ListRunsOptions,
  RunHandle,
  RunState,
  RunStatus,
  RunSummary,
  StartedRun,
} from "./durable-executor.ts";
