import type { Client } from "@temporalio/client";

/** The ids of the runs that continued one another as new, from this one on, with the present one last. */
export async function runsOfChain(client: Client, workflowId: string, firstRunId: string): Promise<string[]> {
  const runs: string[] = [];
  let runId: string | undefined = firstRunId;
  while (runId !== undefined) {
    runs.push(runId);
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
  return runs;
}
