/**
 * A process that drives threads of one scenario and dies where it is told. It takes one
 * order over IPC: first it brings threads to their end, then it begins others, and once each of
 * those stands still at its place it kills itself.
 */
import { openCheckpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { crashCheckpointer } from "../../../support/crash-checkpointer.ts";
import { CrashLedger } from "../../../support/crash-ledger.ts";
import { CrashPoint } from "../../../support/crash-point.ts";
import type { CrashPlace } from "../../../support/crash-point.ts";
import type { Account, Line } from "./account.ts";
import { approvalsScenario } from "./approvals-scenario.ts";
import { runClient } from "./client.ts";
import type { ClientParts, Recovery } from "./client.ts";
import { parcelScenario } from "./parcel-scenario.ts";
import type { World } from "./scenario.ts";

const SCENARIOS = { approvals: approvalsScenario, parcel: parcelScenario };

/** What a child is to do. */
export interface Order {
  readonly url: string;
  readonly scenario: keyof typeof SCENARIOS;
  /** Threads to bring to their end: new ones, and those that a dead process left. */
  readonly finish: readonly { readonly threadId: string; readonly account: string; readonly recovery?: Recovery }[];
  /**
   * Threads to begin, or to take up as above, and where each is to die; those that are taken up may end
   * before. Without any the process ends by itself.
   */
  readonly die: readonly (Order["finish"][number] & { readonly place: CrashPlace })[];
}

async function work({ url, scenario, finish, die }: Order): Promise<void> {
  const checkpointer = await openCheckpointer(url);
  const threads = new Map<string, { point: CrashPoint; account: Account }>();
  const thread = (threadId: string): { point: CrashPoint; account: Account } => {
    const found = threads.get(threadId);
    if (found === undefined) throw new Error(`Nobody ordered thread ${threadId}.`);
    return found;
  };
  const { graph, moves } = SCENARIOS[scenario];
  const world: World = {
    began: (threadId, task) =>
      thread(threadId).point.outside(() => thread(threadId).account.append({ at: "began", ...task })),
    effect: (threadId, what, key) =>
      thread(threadId).point.outside(() => thread(threadId).account.append({ at: "effect", what, key })),
    isRepaired: (threadId) =>
      thread(threadId)
        .account.read()
        .some(({ at }) => at === "repaired"),
  };
  const witness = createRunner(graph(world), { name: `${scenario} witness`, checkpointer });
  const runner = createRunner(graph(world), {
    name: scenario,
    checkpointer: crashCheckpointer(checkpointer, (threadId) => {
      const { point, account } = thread(threadId);
      return {
        point,
        stored: (commit, outcomes) =>
          account.append({ at: "stored", commit, ...(outcomes === undefined ? {} : { outcomes }) }),
      };
    }),
  });
  const take = (threadId: string, file: string, place?: CrashPlace, reached = () => {}): ClientParts => {
    const account = new CrashLedger<Line>(file);
    const point = new CrashPoint(place, reached);
    threads.set(threadId, { point, account });
    return { threadId, moves, runner, checkpointer, witness, account, point };
  };

  await Promise.all(finish.map(({ threadId, account, recovery }) => runClient(take(threadId, account), recovery)));
  let alive = die.length;
  const reached = (): void => {
    alive -= 1;
    if (alive === 0) process.kill(process.pid, "SIGKILL");
  };
  await Promise.all(
    die.map(async ({ threadId, account, recovery, place }) => {
      await runClient(take(threadId, account, place, reached), recovery);
      if (recovery !== undefined) return reached();
      throw new Error(`Thread ${threadId} ended and did not die ${place.side} commit ${place.commit}.`);
    }),
  );
  await checkpointer.close();
}

process.once("disconnect", () => process.exit()); // the parent is gone, or was told that all is done
process.once("message", (order: Order) => {
  work(order).then(
    () => process.disconnect(),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
