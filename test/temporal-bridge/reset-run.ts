import { randomUUID } from "node:crypto";
import type { Client } from "@temporalio/client";

/**
 * Begins a Temporal run again after it had so many activities completed, as `temporal workflow reset` does: with 0 from
 * the start. Returns the id of the new run.
 */
export async function resetRun(client: Client, workflowId: string, activities: number): Promise<string> {
  const handle = client.workflow.getHandle(workflowId);
  const { runId } = await handle.describe();
  const { events = [] } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  let completed = 0;
  const event = (events ?? []).find(
    ({ activityTaskCompletedEventAttributes, workflowTaskCompletedEventAttributes }) => {
      if (activityTaskCompletedEventAttributes != null) completed += 1;
      return workflowTaskCompletedEventAttributes != null && completed >= activities;
    },
  );
  if (event?.eventId == null) throw new Error(`Run "${workflowId}" has not completed ${activities} activities.`);
  const { runId: newRunId } = await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId, runId },
    reason: "a test",
    workflowTaskFinishEventId: event.eventId,
    requestId: randomUUID(),
  });
  return newRunId;
}
