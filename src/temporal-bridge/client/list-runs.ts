import type { Client, WorkflowExecutionInfo } from "@temporalio/client";
import { z } from "zod";
import { parseOptions } from "../../errors/index.ts";
import type { ListRunsOptions, RunStatus, RunSummary } from "../../executor/index.ts";
import { RUN_GRAPH, SEARCH_ATTRIBUTE } from "../shared/names.ts";
import { reaching } from "./errors.ts";
import { runStatus } from "./run-status.ts";

const Options = z.strictObject({
  graph: z.string().min(1).optional(),
  status: z.enum(["running", "interrupted", "done", "error", "cancelled", "released"]).optional(),
  limit: z.int().min(1).default(100),
});

/** Lists runs by Temporal's visibility store, which is a moment behind. */
export async function* listRuns(
  client: Client,
  options: ListRunsOptions,
  isSearchable: boolean,
): AsyncIterable<RunSummary> {
  const { graph, status, limit } = parseOptions("executor.list", Options, options);
  const query = queryOf(graph, status, isSearchable);
  const workflows = client.workflow.list({ query })[Symbol.asyncIterator]();
  for (let left = limit; left > 0;) {
    const next = await reaching("*", () => workflows.next());
    if (next.done === true) return;
    const run = summaryOf(next.value);
    if ((graph !== undefined && run.graph !== graph) || (status !== undefined && run.status !== status)) continue;
    left -= 1;
    yield run;
  }
}

/** What the server can sort out; the rest stands in the memo, which only we can read. */
function queryOf(graph: string | undefined, status: RunStatus | undefined, isSearchable: boolean): string {
  const parts = [`WorkflowType = ${quoted(RUN_GRAPH)}`];
  // a run that went on as a new one is listed as that
  const ends = status === undefined ? undefined : ENDS[status];
  parts.push(
    ends === undefined
      ? 'ExecutionStatus != "ContinuedAsNew"'
      : `ExecutionStatus IN (${ends.map((end) => quoted(end)).join(", ")})`,
  );
  if (isSearchable && graph !== undefined) parts.push(`${SEARCH_ATTRIBUTE.graph.name} = ${quoted(graph)}`);
  if (isSearchable && (status === "running" || status === "interrupted" || status === "released"))
    parts.push(`${SEARCH_ATTRIBUTE.status.name} = ${quoted(status)}`);
  return parts.join(" AND ");
}

/** How Temporal calls what may be of a status. */
const ENDS: Readonly<Record<RunStatus, readonly string[]>> = {
  running: ["Running"],
  interrupted: ["Running"],
  done: ["Completed"],
  released: ["Completed"],
  error: ["Failed", "TimedOut"],
  cancelled: ["Canceled", "Terminated"],
};

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
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
