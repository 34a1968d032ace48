import { join } from "node:path";
import { CrashLedger } from "../../../support/crash-ledger.ts";
import type { CrashPlace } from "../../../support/crash-point.ts";
import { startProcess } from "../../../support/crash-process.ts";
import { linesAt } from "./account.ts";
import type { Line } from "./account.ts";
import type { Order } from "./child.ts";
import type { Recovery } from "./client.ts";

/** A thread that died at one commit, and was then brought to its end by another process. */
export interface Death {
  readonly threadId: string;
  readonly place: CrashPlace;
  readonly recovery: Recovery;
  readonly account: CrashLedger<Line>;
}

/** What came of it all. */
export interface Deaths {
  /** The run without a death, to compare with. */
  readonly plain: { readonly lines: readonly Line[]; readonly end: Extract<Line, { at: "end" }> };
  readonly deaths: readonly Death[];
  /** How many processes were killed. */
  readonly kills: number;
}

const BOTH: readonly Recovery[] = ["repeat", "continue"];

/** How many deaths to die, and how. */
export interface DeathPlan {
  readonly url: string;
  readonly scenario: Order["scenario"];
  /** Where to keep the accounts. */
  readonly directory: string;
  /** Threads that die in one process; 1 kills a process for each. */
  readonly perProcess: number;
  /** Whether each place is recovered from in both ways, or they take turns. */
  readonly bothRecoveries: boolean;
  /** Whether each dies once more, at one of the first commits after it was taken up. */
  readonly twice: boolean;
}

/**
 * Runs the scenario once, to count its commits, and then once for each of them and each side of it, to
 * die there. Each process first brings to their end the threads that the one before it left, by SIGKILL.
 */
export async function killAtEveryCommit(plan: DeathPlan): Promise<Deaths> {
  const { url, scenario, directory, perProcess, bothRecoveries, twice } = plan;
  const accountOf = (threadId: string) => new CrashLedger<Line>(join(directory, `${threadId}.jsonl`));
  const plain = accountOf(scenario);
  await runChild({ url, scenario, finish: [{ threadId: scenario, account: plain.file }], die: [] });
  const [end] = linesAt(plain.read(), "end");
  if (end === undefined) throw new Error("The run without a death has no end.");

  const deaths: Death[] = [];
  for (let commit = 1; commit <= end.commits; commit += 1) {
    for (const side of ["before", "after"] as const) {
      const turn: Recovery = (commit + (side === "after" ? 1 : 0)) % 2 === 0 ? "repeat" : "continue";
      for (const recovery of bothRecoveries ? BOTH : [turn]) {
        const threadId = `${scenario} dies ${side} ${commit}, ${recovery}`;
        deaths.push({ threadId, place: { commit, side }, recovery, account: accountOf(threadId) });
      }
    }
  }
  const job = ({ threadId, account, recovery }: Death) => ({ threadId, account: account.file, recovery });
  const waiting = [...deaths];
  let once: readonly Death[] = [];
  let last: readonly Death[] = [];
  let kills = 0;
  while (waiting.length + once.length + last.length > 0) {
    const first = waiting.splice(0, perProcess);
    const again = twice ? once : [];
    const die: Order["die"] = [
      ...first.map(({ threadId, account, place }) => ({ threadId, account: account.file, place })),
      ...again.map((death) => ({ ...job(death), place: { ...death.place, commit: 1 + (death.place.commit % 5) } })),
    ];
    await runChild({ url, scenario, finish: last.map(job), die });
    if (die.length > 0) kills += 1;
    [once, last] = twice ? [first, once] : [[], first];
  }
  return { plain: { lines: plain.read(), end }, deaths, kills };
}

/** Runs one child, until it has killed itself or, without anything to die for, has ended. */
async function runChild(order: Order): Promise<void> {
  const child = startProcess(new URL("child.ts", import.meta.url));
  child.process.send(order);
  const { code, signal, said } = await child.ended;
  const asOrdered = order.die.length > 0 ? signal === "SIGKILL" : code === 0;
  if (!asOrdered) throw new Error(`The child ended with ${signal ?? `status ${code}`}. It said: ${said}`);
}
