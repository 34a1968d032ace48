import { ApplicationFailure } from "@temporalio/activity";
import type { FailedTask } from "../../runner/index.ts";
import type { Report, StartReport } from "../shared/protocol.ts";
import { failureText } from "./failure-text.ts";

/** Shows a node that failed for good as a failed activity, with where the thread stands now. */
export function nodeFailed(
  failed: readonly FailedTask[],
  type: string,
  report: Report | StartReport,
): ApplicationFailure {
  const messages = failed.map(({ node, error }) => {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    return `${node}: ${name}: ${message}`;
  });
  return ApplicationFailure.create({
    type,
    message: failureText(messages.join("; ")),
    nonRetryable: true,
    details: [report],
  });
}
