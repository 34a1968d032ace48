import { randomUUID } from "node:crypto";
import type { Client, WorkflowExecutionInfo, WorkflowHandle } from "@temporalio/client";
import type { Checkpointer } from "../../checkpoint/index.ts";
import { PerdureError } from "../../errors/index.ts";
import type {
  DurableExecutor,
  GraphsByName,
  ListRunsOptions,
  RunHandle,
  RunState,
  RunSummary,
} from "../../executor/index.ts";
import type { Answers } from "../../runner/index.ts";
import { HANDLER, RUN_GRAPH } from "../shared/names.ts";
import type { RunGraphArgs, RunResult, WireState } from "../shared/protocol.ts";
import { fromWire, toWire } from "../shared/wire-value.ts";
import { reaching } from "./errors.ts";
import { readResult } from "./read-result.ts";
import { runStatus } from "./run-status.ts";

/** Options of {@link createTemporalExecutor}. */
export interface TemporalExecutorOptions {
  /** Temporal's client; its namespace and data converter are the runs'. */
  readonly client: Client;
  /** Where the workers poll that were made by `createGraphWorker`. */
  readonly taskQueue: string;
  /** The workers' checkpointer. Needed only to read final values of more than 256 KB. @default none */
  readonly checkpointer?: Checkpointer;
}

/** Runs graphs on Temporal. */
export interface TemporalExecutor<Graphs extends GraphsByName = GraphsByName> extends DurableExecutor<Graphs> {
  /**
   * Has a run give its thread back as it stands, so that a runner in a process can drive it. Waits until the activities
   * under way are done. The other way round, `execute` without an input goes on with a thread.
   * @throws RUN_NOT_FOUND
   */
  release(id: string): Promise<void>;
}

/**
 * Runs graphs on Temporal, on workers made by `createGraphWorker`: `createTemporalExecutor<typeof graphs>({ … })` knows
 * the graphs' names, inputs and values.
 */
export function createTemporalExecutor<Graphs extends GraphsByName = GraphsByName>(
  options: TemporalExecutorOptions,
): TemporalExecutor<Graphs> {
  const { client, taskQueue, checkpointer } = options;
  const workflows = client.workflow;

  function handleOf<Values>(id: string, workflow: WorkflowHandle, runId: string | undefined): RunHandle<Values> {
    return {
      id,
      runId,
      status: () => reaching(id, async () => runStatus(await workflow.describe())),
      async result() {
        const result = await reaching(id, async () => (await workflow.result()) as RunResult);
        return (await readResult(id, result, checkpointer)) as Values;
      },
    };
  }

  const executor: TemporalExecutor = {
    async execute(graph, { id, input, supersede, maxSteps, metadata, context }) {
      const args: RunGraphArgs = {
        graph,
        ...(input === undefined ? {} : { input: await toWire(input) }),
        ...(supersede === undefined ? {} : { supersede }),
        ...(maxSteps === undefined ? {} : { maxSteps }),
        ...(metadata === undefined ? {} : { metadata }),
        ...(context === undefined ? {} : { context: await toWire(context) }),
      };
      const workflow = await reaching(id, () =>
        workflows.start(RUN_GRAPH, {
          workflowId: id,
          taskQueue,
          args: [args],
          memo: { graph, status: "running" },
          staticSummary: graph,
        }),
      );
      const runId = workflow.firstExecutionRunId;
      return { ...handleOf(id, workflow, runId), runId };
    },

    async resume(id, answers) {
      const args = [await wireAnswers(answers)];
      const state = await reaching(id, () =>
        workflows.getHandle(id).executeUpdate<WireState, [unknown]>(HANDLER.resume, { args: args as [unknown] }),
      );
      return runState(id, state);
    },

    async signal(id, { name, payload = null, id: signalId = randomUUID() }) {
      const signal = { id: signalId, name, payload: await toWire(payload) };
      await reaching(id, () => workflows.getHandle(id).signal(HANDLER.signal, signal));
    },

    async query(id, queryType) {
      if (queryType !== "state") {
        throw new PerdureError("OPTIONS_INVALID", `There is no query "${String(queryType)}".`, {
          hint: 'Ask for "state".',
        });
      }
      return runState(id, await reaching(id, () => workflows.getHandle(id).query<WireState, []>(HANDLER.state)));
    },

    async cancel(id) {
      await reaching(id, async () => {
        await workflows.getHandle(id).cancel();
      });
    },

    async release(id) {
      const workflow = workflows.getHandle(id);
      await reaching(id, async () => {
        await workflow.executeUpdate(HANDLER.release);
        await workflow.result();
      });
    },

    get: (id, { runId } = {}) => handleOf(id, workflows.getHandle(id, runId), runId),

    list: (listOptions) => listRuns(client, listOptions),
  };
  return executor as TemporalExecutor<Graphs>;
}

async function* listRuns(
  client: Client,
  { graph, status, limit = 100 }: ListRunsOptions = {},
): AsyncIterable<RunSummary> {
  let left = limit;
  for await (const workflow of client.workflow.list({ query: `WorkflowType = "${RUN_GRAPH}"` })) {
    if (left === 0) return;
    const run = summaryOf(workflow);
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

async function wireAnswers(answers: Answers): Promise<Record<string, unknown>> {
  const entries = Object.entries(answers).map(async ([id, answer]) => [id, await toWire(answer)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

async function runState(id: string, { status, interrupts, ...state }: WireState): Promise<RunState> {
  const shown = await Promise.all(
    interrupts.map(async ({ value, ...interrupt }) => ({ ...interrupt, value: await fromWire(value) })),
  );
  return {
    id,
    ...state,
    status: status === "ready" ? "running" : status,
    interrupts: shown as unknown as RunState["interrupts"],
  };
}
