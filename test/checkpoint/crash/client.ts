/**
 * A process that keeps some threads under load, until it is told to finish, or killed. Whatever it was told is
 * done, it writes into the account before it goes on.
 */
import { openCheckpointer } from "perdure/checkpoint";
import { CrashLedger } from "../../support/crash-ledger.ts";
import { acknowledging } from "./acknowledging.ts";
import type { Line } from "./account.ts";
import { loadGraph } from "./load-graph.ts";
import { plainCalls } from "./plain-calls.ts";
import { runnerCalls } from "./runner-calls.ts";
import { keepBusy, whenReachable } from "./thread-load.ts";
import type { Slot } from "./thread-load.ts";

/** What a client is told first. */
export interface Setup {
  readonly url: string;
  readonly account: string;
  readonly slots: readonly Slot[];
}

/** What it is told then: to bring its threads to the end of their turns, and to end. */
export type Finish = "finish";

/** What it says. */
export type ClientMessage = { readonly type: "busy" };

process.once("disconnect", () => process.exit()); // the parent is gone, or was told that all is done
process.once("message", (setup: Setup) => {
  work(setup).then(
    () => process.disconnect(),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});

async function work({ url, account, slots }: Setup): Promise<void> {
  let isFinishing = false;
  process.once("message", () => {
    isFinishing = true;
  });
  const { pid } = process;
  const ledger = new CrashLedger<Line>(account);
  const checkpointer = await whenReachable(() => openCheckpointer(url, { poolSize: 6 }));
  const acknowledged = acknowledging(checkpointer, (commit) => ledger.append({ at: "stored", pid, ...commit }));
  const graph = loadGraph({
    began: (task) => ledger.append({ at: "began", pid, ...task }),
    effect: (thread, what, key) => ledger.append({ at: "effect", pid, thread, what, key }),
  });
  const calls = {
    runner: runnerCalls(graph, acknowledged, false),
    stream: runnerCalls(graph, acknowledged, true),
    plain: plainCalls(graph, acknowledged),
  };
  process.send?.({ type: "busy" } satisfies ClientMessage);
  await Promise.all(
    slots.map((slot) =>
      keepBusy(
        slot,
        calls[slot.kind],
        (line) => ledger.append({ ...line, pid }),
        () => isFinishing,
      ),
    ),
  );
  await checkpointer.close();
}
