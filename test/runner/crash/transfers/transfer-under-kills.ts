import { setTimeout as delay } from "node:timers/promises";
import { startProcess } from "../../../support/crash-process.ts";
import { SeededRandom } from "../../../support/crash-random.ts";
import type { BankView } from "./bank.ts";
import type { Order, Report } from "./worker.ts";

/** What to have made, by how many, and how often to kill one. */
export interface TransferPlan {
  readonly url: string;
  readonly threads: readonly string[];
  readonly seed: number;
  readonly workers: number;
  /** A worker is killed after so many transfers, from … up to. */
  readonly transfersBetweenKills: readonly [from: number, to: number];
}

/** What came of it. */
export interface Transferred {
  readonly kills: number;
  /** How often each transfer was begun. */
  readonly begun: ReadonlyMap<string, number>;
  /** What the workers saw. */
  readonly views: readonly BankView[];
}

/**
 * Keeps as many workers at it as there should be, and kills one every now and then, until each has seen all done. The
 * first one is killed in the middle of a transaction, the others at any moment.
 */
export async function transferUnderKills(plan: TransferPlan): Promise<Transferred> {
  const { url, threads, seed, workers, transfersBetweenKills } = plan;
  const random = new SeededRandom(seed);
  const begun = new Map<string, number>();
  const views: BankView[] = [];
  let kills = 0;
  let turn = 0;
  let left = random.between(...transfersBetweenKills);

  const runOne = async (): Promise<boolean> => {
    const worker = startProcess(new URL("worker.ts", import.meta.url));
    let killed = false;
    const kill = (afterMs: number): void => {
      killed = true;
      kills += 1;
      void delay(afterMs).then(() => worker.kill());
    };
    worker.process.on("message", (report: Report) => {
      if (report.type === "view") return void views.push(report.view);
      begun.set(report.id, (begun.get(report.id) ?? 0) + 1);
      left -= 1;
      if (killed || (left > 0 && !report.stopped)) return;
      left = random.between(...transfersBetweenKills);
      kill(report.stopped ? 0 : random.between(0, 6)); // a transaction takes some milliseconds
    });
    turn += 1;
    const order: Order = { url, threads, seed, turn, ...(turn === 1 ? { stopsAt: random.between(5, 40) } : {}) };
    worker.process.send(order);
    const { code, signal, said } = await worker.ended;
    if (!killed && code !== 0) throw new Error(`A worker ended with ${signal ?? `status ${code}`}. It said: ${said}`);
    return code === 0;
  };
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (!(await runOne()));
    }),
  );
  return { kills, begun, views };
}
