import type { Client } from "@temporalio/client";
import { z } from "zod";
import { Checkpointer } from "../../checkpoint/index.ts";
import { parseOptions } from "../../errors/index.ts";
import type { DurableExecutor, ExecuteOptions, GraphsByName, StartedRun } from "../../executor/index.ts";
import type { InputOf, ValuesOf } from "../../runner/index.ts";
import { TemporalRuns } from "./temporal-runs.ts";

/** Options of {@link createTemporalExecutor}. */
export interface TemporalExecutorOptions {
  /** Temporal's client; its namespace and data converter are the runs'. */
  readonly client: Client;
  /** Where the workers poll that were made by `createGraphWorker`. */
  readonly taskQueue: string;
  /** The workers' checkpointer: inputs, answers and final values of more than 256 KB go through it. @default none */
  readonly checkpointer?: Checkpointer | undefined;
  /**
   * Show graph and status of runs as search attributes too, so that they can be searched for among very many, in Temporal's
   * UI and by `list`. The namespace needs them first: `temporal operator search-attribute create --name PerdureGraph
   * --type Keyword --name PerdureStatus --type Keyword`. @default false: in the memo only
   */
  readonly searchAttributes?: boolean;
}

/** Options of `executor.execute` on Temporal. */
export interface TemporalExecuteOptions<Input> extends ExecuteOptions<Input> {
  /**
   * Begin in a local activity, as part of the workflow's first task: for bursts that take less than some seconds, at two
   * thirds of what they cost the server. While it runs, a query or a cancel may take up to 8 s to come through, and it
   * holds one of the worker's slots for workflow tasks. What is left after 3 s goes on in ordinary activities, as does what
   * failed. @default false
   */
  readonly localStart?: boolean;
}

/** Runs graphs on Temporal. */
export interface TemporalExecutor<Graphs extends GraphsByName = GraphsByName> extends DurableExecutor<Graphs> {
  execute<Name extends keyof Graphs & string>(
    graph: Name,
    options: TemporalExecuteOptions<InputOf<Graphs[Name]>>,
  ): Promise<StartedRun<ValuesOf<Graphs[Name]>>>;

  /**
   * Has a run give its thread back as it stands, so that a runner in a process can drive it. Waits until the activities
   * under way are done. The other way round, `execute` without an input goes on with a thread.
   * @throws RUN_NOT_FOUND
   */
  release(id: string): Promise<void>;
}

const Options = z.strictObject({
  client: z.custom<Client>((value) => typeof value === "object" && value !== null && "workflow" in value, {
    message: "is not a Temporal client: new Client({ connection })",
  }),
  taskQueue: z.string().min(1),
  checkpointer: z
    .custom<Checkpointer>((value) => value instanceof Checkpointer, {
      message: "is not a checkpointer: await openCheckpointer(url)",
    })
    .optional(),
  searchAttributes: z.boolean().default(false),
});

/**
 * Runs graphs on Temporal, on workers made by `createGraphWorker`: `createTemporalExecutor<typeof graphs>({ … })` knows
 * the graphs' names, inputs and values.
 * @throws OPTIONS_INVALID
 */
export function createTemporalExecutor<Graphs extends GraphsByName = GraphsByName>(
  options: TemporalExecutorOptions,
): TemporalExecutor<Graphs> {
  return new TemporalRuns(parseOptions("createTemporalExecutor", Options, options)) as TemporalExecutor<Graphs>;
}
