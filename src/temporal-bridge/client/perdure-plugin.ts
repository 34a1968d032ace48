import type { WorkflowStartInput } from "@temporalio/client";
import { SimplePlugin } from "@temporalio/plugin";
import { RUN_GRAPH } from "../shared/names.ts";
import type { RunGraphArgs } from "../shared/protocol.ts";

/**
 * Has a client of yours start `runGraph` as an executor does: `new Client({ connection, plugins: [new PerdurePlugin()] })`. What
 * `client.workflow.start` begins then stands in `executor.list` under its graph's name; an executor needs no plugin.
 */
export class PerdurePlugin extends SimplePlugin {
  constructor() {
    super({
      name: "perdure",
      clientInterceptors: {
        workflow: [
          {
            startWithDetails: (input, next) => next(described(input)),
            signalWithStart: (input, next) => next(described(input)),
          },
        ],
      },
    });
  }
}

/** A start of a graph with the memo by which it is listed. */
function described<Input extends Pick<WorkflowStartInput, "workflowType" | "options">>(input: Input): Input {
  if (input.workflowType !== RUN_GRAPH) return input;
  const [args] = input.options.args as unknown as readonly [RunGraphArgs?];
  const graph = args?.graph ?? "";
  const { memo, staticSummary = graph } = input.options;
  return { ...input, options: { ...input.options, memo: { graph, status: "running", ...memo }, staticSummary } };
}
