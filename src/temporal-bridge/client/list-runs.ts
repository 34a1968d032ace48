import type { Client, WorkflowExecutionInfo } from "@temporalio/client";
import { z } from "zod";
import { parseOptions } from "../../errors/index.ts";
import type { ListRunsOptions, RunSummary } from "../../executor/index.ts";
import { RUN_GRAPH } from "../shared/names.ts";
import { reaching } from "./errors.ts";
import { runStatus } from "./run-status.ts";

const Options = z.strictObject({
  graph: z.string().min(1).optional(),
  status: z.enum(["running", "interrupted", "done", "error", "cancelled", "released"]).optional(),
  limit: z.int().min(1).default(100),
});

/** Lists runs by Temporal's visibility store, which is a moment behind. */
export async function* listRuns(client: Client, options: ListRunsOptions): AsyncIterable<RunSummary> {
  const { graph, status, limit } = parseOptions("executor.list", Options, options);
  const workflows = client.workflow.list({ query: `WorkflowType = "${RUN_GRAPH}"` })[Symbol.asyncIterator]();
  for (let left = limit; left > 0;) {
    const next = await reaching("*", () => workflows.next());
    if (next.done === true) return;
    const run = summaryOf(next.value);
    // a run that went on as a new one is listed as that
    if (next.value.status.name === "CONTINUED_AS_NEW") continue;
    if ((graph !== undefined && run.graph !== graph) || (status !== undefined && run.status !== status)) continue;
    left -= 1;
    yield run;
  }
}

function summaryOf(workflow: WorkflowExecutionInfo): RunSummary {
  const { workflowId, runId, memo, startTime, closeTime } = workflow;
  return {
    id: workflowId,
    runId,
    graph: String(memo?.["graph"]),
    status: runStatus(workflow),
    startedAt: startTime,
    ...(closeTime === undefined ? {} : { endedAt: closeTime }),
  };
}
