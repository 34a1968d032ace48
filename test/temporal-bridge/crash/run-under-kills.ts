import { setTimeout as delay } from "node:timers/promises";
import type { Checkpointer } from "perdure/checkpoint";
import { isPerdureError } from "perdure/errors";
import { createRunner } from "perdure/runner";
import type { TemporalExecutor } from "perdure/temporal/client";
import { startProcess } from "../../support/crash-process.ts";
import type { CrashProcess } from "../../support/crash-process.ts";
import { SeededRandom } from "../../support/crash-random.ts";
import { ROUNDS, crashGraph } from "./crash-graph.ts";
import type { Ledger } from "./ledger.ts";
import type { Setup } from "./worker.ts";

/** What to run, and how to disturb it. */
export interface KillPlan {
  readonly setup: Setup;
  readonly executor: TemporalExecutor;
  readonly checkpointer: Checkpointer;
  readonly ledger: Ledger;
  readonly seed: number;
  readonly runs: number;
  /** Whether runs begin in a local activity. @default false */
  readonly localStart?: boolean;
  /** Runs under way at the same time. */
  readonly atOnce: number;
  /** A worker is killed a moment after so many nodes have begun, from … up to. */
  readonly nodesBetweenKills: readonly [from: number, to: number];
}

/** A runner that only looks. */
type Looking = Pick<ReturnType<typeof createRunner<ReturnType<typeof crashGraph>>>, "inspect">;

/** A run at its end. */
export interface KilledRun {
  readonly id: string;
  readonly values: { readonly log: string[]; readonly tokens: string[] };
  /** Workers that were killed while it was under way. */
  readonly kills: number;
}

/** Has two workers run graphs, kills one of them every now and then, and puts another one in its place. */
export async function runUnderKills(plan: KillPlan): Promise<{ runs: readonly KilledRun[]; kills: number }> {
  const { setup, ledger, seed, runs, atOnce, nodesBetweenKills } = plan;
  const random = new SeededRandom(seed);
  const workers = await Promise.all([startWorker(setup), startWorker(setup)]);
  let kills = 0;

  const runOne = async (id: string): Promise<KilledRun> => {
    const killsBefore = kills;
    const values = await runToEnd(plan, id, random.between(10, 1_500));
    return { id, values, kills: kills - killsBefore };
  };
  const done: KilledRun[] = [];
  const queue = Array.from({ length: runs }, (_, index) => `crash-${seed}-${index}-${setup.taskQueue}`);
  let isOver = false;
  const killing = (async () => {
    for (;;) {
      const next = (await ledger.begun()) + random.between(...nodesBetweenKills);
      while (!isOver && (await ledger.begun()) < next) await delay(10);
      await delay(random.between(0, 100));
      const pids = workers.map((worker) => worker.process.pid ?? 0);
      const inMiddleOfNodes = async (): Promise<number | undefined> => {
        let pid: number | undefined;
        while (!isOver && (pid = await ledger.inMiddleOfNodes(pids, 2)) === undefined) await delay(5);
        return pid;
      };
      // every other time in the middle of nodes, so that some certainly die
      const pid = kills % 2 === 0 ? await inMiddleOfNodes() : pids[random.between(0, pids.length)];
      if (isOver || pid === undefined) return;
      const index = pids.indexOf(pid);
      await workers[index]!.kill();
      kills += 1;
      await ledger.note("dead", pid);
      workers[index] = await startWorker(setup);
    }
  })();
  try {
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let id = queue.shift(); id !== undefined; id = queue.shift()) done.push(await runOne(id));
      }),
    );
    return { runs: done, kills };
  } finally {
    isOver = true;
    await killing;
    await Promise.all(workers.map((worker) => worker.kill()));
  }
}

/** Runs the graph, and gives it what it asks for, and a signal each so many milliseconds. */
export async function runToEnd(
  {
    executor,
    checkpointer,
    ledger,
    localStart = false,
  }: Pick<KillPlan, "executor" | "checkpointer" | "ledger" | "localStart">,
  id: string,
  msBetweenSignals: number,
): Promise<KilledRun["values"]> {
  const looking = createRunner(crashGraph(ledger, checkpointer), { name: "crash", checkpointer });
  const run = await executor.execute("crash", { id, input: {}, localStart });
  const over = new AbortController();
  const others = Promise.all([answerAll(executor, looking, id, over.signal), sendAll(executor, id, msBetweenSignals)]);
  try {
    return (await run.result()) as KilledRun["values"];
  } finally {
    over.abort();
    await others;
  }
}

/** Starts a worker; resolves when it takes tasks. */
export async function startWorker(setup: Setup): Promise<CrashProcess> {
  const worker = startProcess(new URL("worker.ts", import.meta.url));
  const ready = Promise.withResolvers<void>();
  worker.process.once("message", () => ready.resolve());
  void worker.ended.then(({ code, signal, said }) =>
    ready.reject(new Error(`A worker ended with ${signal ?? `status ${code}`}. It said: ${said}`)),
  );
  worker.process.send(setup);
  await ready.promise;
  return worker;
}

/** What passes: no worker is there at the moment, or the workflow has not heard of the question yet. */
const PASSING = new Set<string>(["ENGINE_UNREACHABLE", "INTERRUPT_NOT_OPEN", "THREAD_NOT_FOUND"]);

/** Answers whatever the run asks, until it is over. Where it stands is read from the database, which takes no worker. */
async function answerAll(executor: TemporalExecutor, looking: Looking, id: string, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await delay(100);
    try {
      for (const { id: interrupt, kind, value } of (await looking.inspect(id)).interrupts) {
        if (kind !== "input") continue;
        const { round } = value as { round: number };
        await executor.resume(id, { [interrupt]: `answer ${round}` });
      }
    } catch (error) {
      if (!over.aborted && !(isPerdureError(error) && PASSING.has(error.code))) throw error;
    }
  }
}

/** Sends a signal for each round, which may come long before the run asks for it. */
async function sendAll(executor: TemporalExecutor, id: string, msBetween: number): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    await delay(msBetween);
    await executor.signal(id, { name: "word", payload: `signal ${round}` });
  }
}
