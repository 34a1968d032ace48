/**
 * A process that runs the tasks it is given with runner.step, until it is killed. Its parent sends the
 * database first, then calls; it tells when a task begins and when its result is stored.
 */
import { openCheckpointer } from "perdure/checkpoint";
import { isPerdureError } from "perdure/errors";
import { createRunner } from "perdure/runner";
import { crashCheckpointer } from "../../../support/crash-checkpointer.ts";
import { CrashLedger } from "../../../support/crash-ledger.ts";
import { CrashPoint } from "../../../support/crash-point.ts";
import type { Line } from "./account.ts";
import { fanOutGraph } from "./fan-out-graph.ts";

/** What a worker is told first. */
export interface Setup {
  readonly url: string;
  readonly account: string;
}

/** What it is told then. */
export interface StepCall {
  readonly id: number;
  readonly threadId: string;
  readonly tasks: readonly string[];
}

/** What it says. */
export type WorkerMessage =
  | { readonly type: "ready" }
  | { readonly type: "event" }
  | { readonly type: "result"; readonly id: number; readonly error?: string };

const tell = (message: WorkerMessage): unknown => process.send?.(message);

process.once("disconnect", () => process.exit()); // the parent is gone
process.once("message", ({ url, account }: Setup) => {
  void serve(url, new CrashLedger<Line>(account)).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

async function serve(url: string, account: CrashLedger<Line>): Promise<void> {
  const { pid } = process;
  const write = (line: Line): void => {
    account.append(line);
    tell({ type: "event" });
  };
  const point = new CrashPoint(undefined, () => {}); // the parent kills
  const checkpointer = crashCheckpointer(await openCheckpointer(url, { poolSize: 6 }), () => ({
    point,
    stored: (commit) => {
      if (commit.method === "putWrites") write({ at: "stored", pid, task: commit.taskId });
    },
  }));
  const runner = createRunner(
    fanOutGraph((task) => write({ at: "began", pid, ...task })),
    { name: "fan-out", checkpointer },
  );
  process.on("message", ({ id, threadId, tasks }: StepCall) => {
    runner.step(threadId, { tasks }).then(
      () => tell({ type: "result", id }),
      (error: unknown) => tell({ type: "result", id, error: isPerdureError(error) ? error.code : String(error) }),
    );
  });
  tell({ type: "ready" });
}
