import { extname } from "node:path";
import { fileURLToPath } from "node:url";

/** What every worker of graphs is made with, unless somebody says otherwise. */
export const WORKER_DEFAULTS = {
  /** A server that does not tell workers of a cancel by itself says so in answer to a heartbeat. */
  maxHeartbeatThrottleInterval: 2_000,
} as const;

/** The module of the workflow: TypeScript beside the sources, JavaScript in the package. */
export function workflowsPath(): string {
  return fileURLToPath(new URL(`../workflow/index${extname(import.meta.url)}`, import.meta.url));
}
