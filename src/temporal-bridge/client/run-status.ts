import type { WorkflowExecutionInfo } from "@temporalio/client";
import type { RunStatus } from "../../executor/index.ts";

/** What became of a workflow; whether it waits for somebody stands in its memo. */
export function runStatus({ status, memo }: Pick<WorkflowExecutionInfo, "status" | "memo">): RunStatus {
  switch (status.name) {
    case "RUNNING":
    case "CONTINUED_AS_NEW":
    case "PAUSED":
      return memo?.["status"] === "interrupted" ? "interrupted" : "running";
    case "COMPLETED":
      return memo?.["status"] === "released" ? "released" : "done";
    case "CANCELLED":
    case "TERMINATED":
      return "cancelled";
    case "FAILED":
    case "TIMED_OUT":
    case "UNKNOWN":
    case "UNSPECIFIED":
      return "error";
  }
}
