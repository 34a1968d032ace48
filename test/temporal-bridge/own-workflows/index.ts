import { proxyActivities } from "@temporalio/workflow";

export { runGraph } from "perdure/temporal/workflow";

const { greeting } = proxyActivities<{ greeting(name: string): Promise<string> }>({ startToCloseTimeout: "10s" });

/** A workflow of somebody's own, beside ours. */
export async function greet(name: string): Promise<string> {
  return `${await greeting(name)}!`;
}
