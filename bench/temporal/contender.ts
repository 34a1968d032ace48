import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@temporalio/client";
import { createTemporalExecutor } from "perdure/temporal/client";
import type { CaseFile } from "./case-file.ts";
import type { caseGraphs } from "./case-graphs.ts";
import type { askPerson, handleCase } from "./hand-written-workflow.ts";
import { startWorker } from "./start-worker.ts";
import type { WorkerProcess } from "./start-worker.ts";
import type { WorkerKind } from "./worker-messages.ts";

/** One of the sides: a worker, and how its runs are begun. */
export interface Contender<Name extends string = string> {
  readonly name: Name;
  readonly worker: WorkerProcess;
  /** Runs all steps and returns the case. */
  handleCase(id: string, file: CaseFile): Promise<unknown>;
  /** Begins a run, and returns when it waits for a person. */
  park(id: string, file: CaseFile): Promise<void>;
}

/** Where the sides meet. */
export interface Meeting {
  readonly client: Client;
  readonly address: string;
  /** The bundles of the workflows. */
  readonly bundles: { readonly handWritten: string; readonly graphs: string };
}

const WAITING_POLL_MS = 50;

/** Workflows written by hand. */
export async function handWritten({ client, address, bundles }: Meeting): Promise<Contender<"handWritten">> {
  const taskQueue = `hand-written-${randomUUID()}`;
  const { workflow } = client;
  const worker = await startWorker({ address, taskQueue, codePath: bundles.handWritten });
  return {
    name: "handWritten",
    worker,
    handleCase: (id, file) =>
      workflow.execute<typeof handleCase>("handleCase", { workflowId: id, taskQueue, args: [file] }),
    async park(id, file) {
      const handle = await workflow.start<typeof askPerson>("askPerson", { workflowId: id, taskQueue, args: [file] });
      while (!(await handle.query<boolean>("isWaiting"))) await delay(WAITING_POLL_MS);
    },
  };
}

/** The same as graphs, on our worker. */
export async function graphs<Name extends string>(
  name: Name,
  { client, address, bundles }: Meeting,
  { localStart = false, ...how }: NonNullable<WorkerKind["graphs"]> & { readonly localStart?: boolean },
): Promise<Contender<Name>> {
  const taskQueue = `${name}-${randomUUID()}`;
  const worker = await startWorker({ address, taskQueue, codePath: bundles.graphs, graphs: how });
  const executor = createTemporalExecutor<typeof caseGraphs>({ client, taskQueue });
  return {
    name,
    worker,
    async handleCase(id, input) {
      const run = await executor.execute("handleCase", { id, input, localStart });
      return run.result();
    },
    async park(id, input) {
      await executor.execute("askPerson", { id, input });
      while ((await executor.query(id, "state")).status !== "interrupted") await delay(WAITING_POLL_MS);
    },
  };
}
