import { executeChild, proxyActivities } from "@temporalio/workflow";
import { runGraph } from "perdure/temporal/workflow";

export { runGraph };

const { greeting } = proxyActivities<{ greeting(name: string): Promise<string> }>({ startToCloseTimeout: "10s" });

/** A workflow of somebody's own, beside ours. */
export async function greet(name: string): Promise<string> {
  return `${await greeting(name)}!`;
}

/** One that has a whole graph run as a step. */
export async function withGraph(workflowId: string, input: unknown): Promise<unknown> {
  const result = await executeChild(runGraph, {
    workflowId,
    args: [{ graph: "asks", input }],
    memo: { graph: "asks", status: "running" },
    parentClosePolicy: "REQUEST_CANCEL",
  });
  return "values" in result ? result.values : result;
}
