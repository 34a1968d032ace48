import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Client, WorkflowHandle } from "@temporalio/client";
import { z } from "zod";
import type { Checkpointer } from "../../checkpoint/index.ts";
import { PerdureError, isPerdureError, parseOptions } from "../../errors/index.ts";
import type { ListRunsOptions, RunHandle, RunState, RunSummary, StartedRun } from "../../executor/index.ts";
import type { Answers, ThreadSignal } from "../../runner/index.ts";
import { HANDLER, RUN_GRAPH, SEARCH_ATTRIBUTE } from "../shared/names.ts";
import type { RunGraphArgs, RunResult, SignalArgs, WireState, WireValue } from "../shared/protocol.ts";
import { WireCodec } from "../shared/wire-codec.ts";
import type { TemporalExecuteOptions, TemporalExecutor, TemporalExecutorOptions } from "./create-temporal-executor.ts";
import { isRefused, reaching } from "./errors.ts";
import { listRuns } from "./list-runs.ts";
import { areAsked, runIsOver, withoutGivenBefore } from "./past-answers.ts";
import { readResult } from "./read-result.ts";
import { runState } from "./run-state.ts";
import { runStatus } from "./run-status.ts";

/** A task that asks has its question stored before its activity reports it. */
const HEARS_WITHIN_MS = 10_000;
const RETRY_MS = 50;

const Execute = z.strictObject({
  graph: z.string().min(1),
  id: z.string().min(1),
  input: z.unknown().optional(),
  supersede: z.boolean().optional(),
  maxSteps: z.int().min(1).optional(),
  localStart: z.boolean().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  context: z.record(z.string(), z.unknown()).optional(),
});

/** Runs of the workflow that drives graphs. A run's id is its workflow's and its thread's. */
export class TemporalRuns implements TemporalExecutor {
  readonly #client: Client;
  readonly #taskQueue: string;
  readonly #checkpointer: Checkpointer | undefined;
  readonly #isSearchable: boolean;
  readonly #codec: WireCodec;

  constructor({ client, taskQueue, checkpointer, searchAttributes }: TemporalExecutorOptions) {
    this.#client = client;
    this.#taskQueue = taskQueue;
    this.#checkpointer = checkpointer;
    this.#isSearchable = searchAttributes === true;
    this.#codec = new WireCodec(checkpointer);
  }

  async execute<Values>(graph: string, options: TemporalExecuteOptions<unknown>): Promise<StartedRun<Values>> {
    parseOptions("executor.execute", Execute, { ...options, graph });
    const { id, input, context, supersede, maxSteps, metadata, localStart } = options;
    const wire = input === undefined ? undefined : await this.#codec.encode(input);
    const args: RunGraphArgs = {
      graph,
      ...(wire === undefined ? {} : { input: wire }),
      ...(supersede === undefined ? {} : { supersede }),
      ...(maxSteps === undefined ? {} : { maxSteps }),
      ...(metadata === undefined ? {} : { metadata }),
      ...(context === undefined ? {} : { context: await this.#codec.encode(context) }),
      ...(localStart === true ? { localStart } : {}),
      ...(this.#isSearchable ? { searchable: true } : {}),
    };
    const typedSearchAttributes = [
      { key: SEARCH_ATTRIBUTE.graph, value: graph },
      { key: SEARCH_ATTRIBUTE.status, value: "running" },
    ];
    try {
      const workflow = await reaching(id, () =>
        this.#client.workflow.start(RUN_GRAPH, {
          workflowId: id,
          taskQueue: this.#taskQueue,
          args: [args],
          memo: { graph, status: "running" },
          staticSummary: graph,
          ...(this.#isSearchable ? { typedSearchAttributes } : {}),
        }),
      );
      return { ...this.#handle<Values>(id, workflow), runId: workflow.firstExecutionRunId };
    } catch (error) {
      if (isPerdureError(error, "THREAD_BUSY")) await this.#codec.drop([wire]);
      throw error;
    }
  }

  resume(id: string, answers: Answers): Promise<RunState> {
    return this.#resume(id, answers, Date.now() + HEARS_WITHIN_MS);
  }

  /** @param until how long a question that stands in the checkpointer may be unknown to the run: it hears of it next */
  async #resume(id: string, answers: Answers, until: number): Promise<RunState> {
    const wires: Record<string, WireValue> = {};
    for (const [interrupt, answer] of Object.entries(answers)) wires[interrupt] = await this.#codec.encode(answer);
    try {
      const state = await reaching(id, () =>
        this.#workflow(id).executeUpdate<WireState, [Record<string, WireValue>]>(HANDLER.resume, { args: [wires] }),
      );
      return await this.#state(id, state);
    } catch (error) {
      if (isRefused(error)) await this.#codec.drop(Object.values(wires));
      const isOver = isPerdureError(error, "RUN_NOT_FOUND");
      if (!isOver && !isPerdureError(error, "INTERRUPT_NOT_OPEN")) throw error;
      const over = isOver ? runIsOver(id, await this.#handle(id, this.#workflow(id)).status()) : undefined;
      // it knows of no answers that were given while others drove its thread
      const fresh = await withoutGivenBefore(id, answers, this.#checkpointer);
      const count = Object.keys(fresh).length;
      if (count === 0) return this.query(id, "state");
      if (over !== undefined) throw over;
      if (count < Object.keys(answers).length) return this.#resume(id, fresh, until);
      if (Date.now() > until || !(await areAsked(id, fresh, this.#checkpointer))) throw error;
      await delay(RETRY_MS);
      return this.#resume(id, fresh, until);
    }
  }

  async signal(id: string, { name, payload = null, id: signalId = randomUUID() }: ThreadSignal): Promise<void> {
    const signal: SignalArgs = { id: signalId, name, payload: await this.#codec.encode(payload) };
    try {
      await reaching(id, () => this.#workflow(id).signal(HANDLER.signal, signal));
    } catch (error) {
      if (isRefused(error)) await this.#codec.drop([signal.payload]);
      throw error;
    }
  }

  async query(id: string, queryType: "state"): Promise<RunState> {
    if (queryType !== "state") {
      throw new PerdureError("OPTIONS_INVALID", `There is no query "${String(queryType)}".`, {
        hint: 'Ask for "state".',
      });
    }
    return this.#state(id, await reaching(id, () => this.#workflow(id).query<WireState, []>(HANDLER.state)));
  }

  async cancel(id: string): Promise<void> {
    await reaching(id, () => this.#workflow(id).cancel());
  }

  async release(id: string): Promise<void> {
    const workflow = this.#workflow(id);
    await reaching(id, () => workflow.executeUpdate(HANDLER.release));
    await reaching(id, () => workflow.result());
  }

  get<Values>(id: string, { runId }: { readonly runId?: string } = {}): RunHandle<Values> {
    return this.#handle(id, this.#workflow(id, runId), runId);
  }

  list(options: ListRunsOptions = {}): AsyncIterable<RunSummary> {
    return listRuns(this.#client, options, this.#isSearchable);
  }

  #workflow(id: string, runId?: string): WorkflowHandle {
    return this.#client.workflow.getHandle(id, runId);
  }

  #state(id: string, state: WireState): Promise<RunState> {
    return runState(id, state, this.#codec, this.#checkpointer);
  }

  #handle<Values>(id: string, workflow: WorkflowHandle, runId?: string): RunHandle<Values> {
    return {
      id,
      runId,
      status: () => reaching(id, async () => runStatus(await workflow.describe())),
      result: async () => {
        const result = await reaching(id, async () => (await workflow.result()) as RunResult);
        return (await readResult(id, result, this.#codec, this.#checkpointer)) as Values;
      },
    };
  }
}
