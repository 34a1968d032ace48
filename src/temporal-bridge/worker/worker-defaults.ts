import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { WorkerOptions } from "@temporalio/worker";

/** What every worker of graphs is made with, unless somebody says otherwise. */
export const WORKER_DEFAULTS = {
  /** A server that does not tell workers of a cancel by itself says so in answer to a heartbeat. */
  maxHeartbeatThrottleInterval: 2_000,
  /** How long a run waits for the worker that knew it, which may be dead, before another one reads it up. Temporal's own is 10 s. */
  stickyQueueScheduleToStartTimeout: 5_000,
} as const;

/**
 * The workflow's modules are loaded once for all runs, and not once for each: they keep nothing between them. That is
 * most of what a run takes of memory.
 */
export function bundlerOptions(
  own: WorkerOptions["bundlerOptions"] = {},
): NonNullable<WorkerOptions["bundlerOptions"]> {
  return { ...own, preloadModules: [...(own.preloadModules ?? []), workflowsPath()] };
}

/** The module of the workflow: TypeScript beside the sources, JavaScript in the package. */
export function workflowsPath(): string {
  return fileURLToPath(new URL(`../workflow/index${extname(import.meta.url)}`, import.meta.url));
}
