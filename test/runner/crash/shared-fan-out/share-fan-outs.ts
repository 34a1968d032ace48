import { join } from "node:path";
import type { Checkpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import type { ThreadState } from "perdure/runner";
import { CrashLedger } from "../../../support/crash-ledger.ts";
import { SeededRandom } from "../../../support/crash-random.ts";
import type { Line } from "./account.ts";
import { fanOutGraph } from "./fan-out-graph.ts";
import { Workers } from "./workers.ts";

/** What to share, and how to disturb it. */
export interface SharePlan {
  readonly url: string;
  /** The parent's own, on the same database: it runs nothing, and looks. */
  readonly checkpointer: Checkpointer;
  readonly directory: string;
  readonly seed: number;
  readonly threads: number;
  /** Threads under way at the same time. */
  readonly atOnce: number;
  /** A worker is killed after so many events, from … up to. */
  readonly eventsBetweenKills: readonly [from: number, to: number];
}

/** A thread at its end, and its checkpoints from the first. */
export interface SharedThread {
  readonly state: ThreadState<{ log: string[] }>;
  readonly history: readonly { readonly step: number; readonly id: string; readonly parentId: string | undefined }[];
}

/** What came of it. */
export interface Shared {
  readonly threads: readonly SharedThread[];
  readonly lines: readonly Line[];
  readonly kills: number;
  /** What calls threw, by code. */
  readonly errors: readonly string[];
}

/**
 * Has three processes run the tasks of each superstep of several threads with runner.step, and kills
 * random ones meanwhile. What a dead one did not finish is given to others.
 */
export async function shareFanOuts(plan: SharePlan): Promise<Shared> {
  const { url, checkpointer, directory, seed, threads, atOnce, eventsBetweenKills } = plan;
  const random = new SeededRandom(seed);
  const account = new CrashLedger<Line>(join(directory, `fan-outs-${seed}.jsonl`));
  const errors: string[] = [];
  const kills: Promise<void>[] = [];
  const underWay = new Set<string>();
  let eventsLeft = random.between(...eventsBetweenKills);

  const workers = new Workers(3, { url, account: account.file }, () => {
    eventsLeft -= 1;
    if (eventsLeft > 0) return;
    eventsLeft = random.between(...eventsBetweenKills);
    kills.push(kill(random.between(0, workers.count)));
  });
  const kill = async (index: number): Promise<void> => {
    const pid = await workers.kill(index);
    account.append({ at: "killed", pid });
    account.append({ at: "found", tasks: await finishedTasks(checkpointer, [...underWay]) });
  };

  const runner = createRunner(
    fanOutGraph(() => {
      throw new Error("The parent runs no task.");
    }),
    { name: "fan-out", checkpointer },
  );
  const runThread = async (threadId: string): Promise<SharedThread> => {
    underWay.add(threadId);
    let state = await runner.update(threadId, { log: [] }, { asNode: "__start__" as never });
    for (let round = 0; state.status !== "done"; round += 1) {
      if (round === 200) throw new Error(`${threadId} does not end: ${JSON.stringify(state)}`);
      const shares = inShares(
        state.tasks.map(({ id }) => id),
        random.between(2, 7),
      );
      const first = random.between(0, workers.count);
      const results = await Promise.all(
        shares.map((tasks, index) => workers.step((first + index) % workers.count, threadId, tasks)),
      );
      for (const result of results) if (typeof result === "object") errors.push(result.error);
      // what a dead one had begun to commit may still be under way, and whoever was killed is gone before we look
      await Promise.all(kills);
      state = await runner.inspect(threadId);
    }
    underWay.delete(threadId);
    const history: SharedThread["history"][number][] = [];
    for await (const { step, checkpointId, parentId } of runner.history(threadId)) {
      history.unshift({ step, id: checkpointId, parentId });
    }
    return { state, history };
  };

  try {
    const done: SharedThread[] = [];
    const queue = Array.from({ length: threads }, (_, index) => `thread ${index} of seed ${seed}`);
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let threadId = queue.shift(); threadId !== undefined; threadId = queue.shift()) {
          done.push(await runThread(threadId));
        }
      }),
    );
    await Promise.all(kills);
    return { threads: done, lines: account.read(), kills: kills.length, errors };
  } finally {
    await workers.close();
  }
}

/** Splits tasks into at most `count` shares; a superstep that only waits for its commit is one empty share. */
function inShares(tasks: readonly string[], count: number): string[][] {
  const shares = Array.from({ length: count }, (_, share) => tasks.filter((__, index) => index % count === share));
  const filled = shares.filter((share) => share.length > 0);
  return filled.length === 0 ? [[]] : filled;
}

async function finishedTasks(checkpointer: Checkpointer, threads: readonly string[]): Promise<string[]> {
  const heads = await Promise.all(
    threads.map((thread_id) => checkpointer.getTuple({ configurable: { thread_id, checkpoint_ns: "" } })),
  );
  return heads.flatMap((head) => (head?.pendingWrites ?? []).map(([taskId]) => taskId));
}
