import { randomUUID } from "node:crypto";
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime } from "@temporalio/worker";
import type { Worker } from "@temporalio/worker";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { createTemporalExecutor } from "perdure/temporal/client";
import type { RunState, TemporalExecutor } from "perdure/temporal/client";
import { createGraphWorker } from "perdure/temporal/worker";
import type { GraphMap, GraphSettings } from "perdure/temporal/worker";
import { describe, inject, vi } from "vitest";

/** Graphs on a Temporal worker of this process, and who talks to them. */
export interface TemporalRig<Graphs extends GraphMap> {
  readonly executor: TemporalExecutor<Graphs>;
  readonly client: Client;
  readonly checkpointer: Checkpointer;
  readonly taskQueue: string;
  readonly worker: Worker;
  /** An id that no other run has. */
  newId(): string;
  /** Where the run stands when it waits for somebody, or is done. */
  settled(id: string): Promise<RunState>;
  /** Stops the worker and closes everything. */
  stop(): Promise<void>;
}

/** How a rig differs from the usual one. */
export interface RigOptions {
  /** @default `memory:` */
  readonly checkpointer?: Checkpointer;
  readonly settings?: Readonly<Record<string, GraphSettings>>;
  readonly taskQueue?: string;
  readonly address?: string;
}

/** A `describe` whose tests need a Temporal server; skipped where there is none. */
export const describeWithTemporal = inject("temporalAddress") === "" ? describe.skip : describe;

Runtime.install({ logger: new DefaultLogger("ERROR") }); // before anything else makes one

/** Starts a worker for the graphs on a task queue of its own. */
export async function temporalRig<const Graphs extends GraphMap>(
  graphs: Graphs,
  options: RigOptions = {},
): Promise<TemporalRig<Graphs>> {
  const { address = inject("temporalAddress"), taskQueue = `test-${randomUUID()}`, settings } = options;
  const checkpointer = options.checkpointer ?? (await openCheckpointer("memory:"));
  const connection = await NativeConnection.connect({ address });
  const worker = await createGraphWorker({
    connection,
    taskQueue,
    graphs,
    checkpointer,
    ...(settings === undefined ? {} : { settings }),
    worker: { workflowBundle: { codePath: inject("workflowBundlePath") } },
  });
  const running = worker.run();
  running.catch(() => {}); // heard of by `stop`
  const clientConnection = await Connection.connect({ address });
  const client = new Client({ connection: clientConnection });
  const executor = createTemporalExecutor<Graphs>({ client, taskQueue, checkpointer });
  return {
    executor,
    client,
    checkpointer,
    taskQueue,
    worker,
    newId: () => `run-${randomUUID()}`,
    async settled(id) {
      const look = () => executor.query(id, "state");
      return vi.waitUntil(async () => [await look()].find(({ status }) => status !== "running"), {
        interval: 20,
        timeout: 60_000,
      });
    },
    async stop() {
      worker.shutdown();
      await running;
      await clientConnection.close();
      await connection.close();
      if (options.checkpointer === undefined) await checkpointer.close();
    },
  };
}
