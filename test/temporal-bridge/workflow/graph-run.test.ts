import { randomUUID } from "node:crypto";
import { ApplicationFailure } from "@temporalio/activity";
import { Client, Connection } from "@temporalio/client";
import { NativeConnection, Worker } from "@temporalio/worker";
import { createTemporalExecutor } from "perdure/temporal/client";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import type {
  AnswersRequest,
  GraphActivities,
  RunSettings,
  StartReport,
  TasksRequest,
  ThreadReport,
} from "../../../src/temporal-bridge/shared/protocol.ts";
import { describeWithTemporal } from "../../support/temporal.ts";

const settings: RunSettings = {
  granularity: "node",
  maxParallelActivities: 10,
  heartbeatTimeoutMs: 10_000,
  startToCloseTimeoutMs: 60_000,
};
const ready: ThreadReport = { status: "ready", checkpointId: "01", step: 0, tasks: { a: ["task-a"] }, interrupts: [] };
const asking: ThreadReport = {
  ...ready,
  status: "interrupted",
  next: ["a"],
  tasks: {},
  interrupts: [{ id: "question", kind: "input", node: "a", value: "?" }],
};
const done = (checkpointId: string, values: unknown): ThreadReport => ({
  ...ready,
  status: "done",
  checkpointId,
  tasks: {},
  result: { values },
});
const refused = (type: string): ApplicationFailure => ApplicationFailure.nonRetryable("as scripted", type);

/** The workflow of a run, with activities that say what the test has them say. */
describeWithTemporal("GraphRun", () => {
  let native: NativeConnection;
  let connection: Connection;
  beforeAll(async () => {
    const address = inject("temporalAddress");
    native = await NativeConnection.connect({ address });
    connection = await Connection.connect({ address });
  });
  afterAll(async () => {
    await connection.close();
    await native.close();
  });

  /** Begins a run, and has `work` done while a worker with the activities is there. */
  async function withRun(
    activities: Partial<GraphActivities> & { readonly graphStart: () => Promise<StartReport> },
    work: (run: ReturnType<typeof runOf>) => Promise<void>,
  ): Promise<void> {
    const taskQueue = `scripted-${randomUUID()}`;
    const worker = await Worker.create({
      connection: native,
      taskQueue,
      workflowBundle: { codePath: inject("workflowBundlePath") },
      activities: { graphClose: async () => {}, ...activities },
    });
    await worker.runUntil(async () => {
      const run = runOf(taskQueue);
      await run.executor.execute("any", { id: run.id, input: {} });
      await work(run);
    });
  }

  function runOf(taskQueue: string) {
    const id = `run-${randomUUID()}`;
    const client = new Client({ connection });
    const executor = createTemporalExecutor({ client, taskQueue });
    return {
      id,
      executor,
      state: async () => (await executor.query(id, "state")).status,
      result: () => executor.get(id).result(),
      /** Types of the events of its history, the newest last. */
      events: async () => {
        const { events } = await client.workflow.getHandle(id).fetchHistory();
        return (events ?? []).map((event) => Object.keys(event).find((key) => key.endsWith("EventAttributes")) ?? "");
      },
    };
  }

  it("keeps the end it has heard of, whatever a slower activity tells of a later turn", async () => {
    const slow = Promise.withResolvers<void>();
    const both = { a: ["task-a"], b: ["task-b"] };
    await withRun(
      {
        graphStart: async () => ({ report: { ...ready, tasks: both }, settings }),
        graphTasks: async ({ node }: TasksRequest) => {
          if (node === "a") return { kind: "thread", ...done("02", "its own") };
          await slow.promise;
          return { kind: "thread", ...done("03", "of the next turn") };
        },
      },
      async ({ state, result }) => {
        await expect.poll(state).toBe("done");
        slow.resolve();
        expect(await result()).toBe("its own");
      },
    );
  });

  it("ends with the reason it ended for, also where the thread can't be given back", async () => {
    await withRun(
      {
        graphStart: () => Promise.reject(refused("GRAPH_CHANGED")),
        graphClose: () => Promise.reject(refused("CHECKPOINT_CONFLICT")),
      },
      async ({ result }) => {
        await expect(result()).rejects.toMatchObject({ code: "GRAPH_CHANGED" });
      },
    );
  });

  it("tells who answers while it gives the thread back what became of the answer, before it ends", async () => {
    const closing = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const answering = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    await withRun(
      {
        graphStart: async () => ({ report: asking, settings }),
        graphAnswers: async ({ answers }: AnswersRequest) => {
          if (answers === undefined) throw refused("CHECKPOINT_CONFLICT"); // the signal that ends the run
          answering.resolve();
          await answered.promise;
          throw refused("THREAD_OWNED");
        },
        graphClose: async () => {
          closing.resolve();
          await closed.promise;
        },
      },
      async ({ id, executor, events, result, state }) => {
        await expect.poll(state).toBe("interrupted");
        await executor.signal(id, { name: "word" });
        await closing.promise;
        const answer = executor.resume(id, { question: "yes" });
        await answering.promise;
        closed.resolve();
        // the workflow has heard that the thread is given back, and what it did then stands there
        const sinceClosed = async (): Promise<string> => {
          const all = await events();
          return all.slice(all.lastIndexOf("activityTaskCompletedEventAttributes")).join(" ");
        };
        await expect.poll(sinceClosed).toContain("workflowTaskCompleted");
        answered.resolve();
        await expect(answer).rejects.toMatchObject({ code: "THREAD_OWNED" });
        await expect(result()).rejects.toMatchObject({ code: "CHECKPOINT_CONFLICT" });
      },
    );
  });
});
