import { Annotation, END, START, StateGraph, interrupt } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer, ListPage, ListPageOptions } from "perdure/checkpoint";
import { elapsedTimeOf } from "../elapsed-time.ts";
import { interleave } from "../interleave.ts";
import type { Rounds } from "../interleave.ts";
import { queryOnce } from "./contender.ts";
import { onThread } from "./conversation.ts";

/** One of so many threads waits for an answer. */
const ASKS = 10;

/** How many threads are filled at once. */
const AT_ONCE = 50;

/** What the database holds, and the times of reading one page of a list of it. */
export interface ListingTimes {
  readonly threadCount: number;
  readonly interruptCount: number;
  readonly times: Rounds<"threads" | "threadsLater" | "interrupted" | "interrupts" | "interruptsLater">;
}

/** Reads a page of a list. */
type List = (options: ListPageOptions) => Promise<ListPage<unknown>>;

/**
 * Fills a database with threads, and reads pages of the lists of them and of their open interrupts: the
 * first one, and one in the middle.
 */
export async function measureListing(
  url: string,
  options: { readonly threads: number; readonly limit: number; readonly rounds: number },
): Promise<ListingTimes> {
  const { threads: threadCount, limit, rounds } = options;
  const interruptCount = Math.ceil(threadCount / ASKS);
  const checkpointer = await openCheckpointer(url, { schema: "listing" });
  try {
    await fill(checkpointer, threadCount);
    await queryOnce(url, "VACUUM ANALYZE");
    const threads: List = (page) => checkpointer.listThreads(page);
    const interrupted: List = (page) => checkpointer.listThreads({ ...page, interrupted: true });
    const interrupts: List = (page) => checkpointer.listInterrupts(page);
    const middleOf = {
      threads: await walk(threads, limit, threadCount),
      interrupted: await walk(interrupted, limit, interruptCount),
      interrupts: await walk(interrupts, limit, interruptCount),
    };
    const read = (list: List, after?: string) => async () => ({ run: async () => void (await list({ limit, after })) });
    const sides = [
      { name: "threads" as const, prepare: read(threads) },
      { name: "threadsLater" as const, prepare: read(threads, middleOf.threads) },
      { name: "interrupted" as const, prepare: read(interrupted) },
      { name: "interrupts" as const, prepare: read(interrupts) },
      { name: "interruptsLater" as const, prepare: read(interrupts, middleOf.interrupts) },
    ];
    return { threadCount, interruptCount, times: await interleave(sides, { rounds, timeOf: elapsedTimeOf }) };
  } finally {
    await checkpointer.close();
  }
}

/** Reads a whole list, sees that nothing is missing, and returns where its middle begins. */
async function walk(list: List, limit: number, expected: number): Promise<string | undefined> {
  const cursors: (string | undefined)[] = [];
  let found = 0;
  let after: string | undefined;
  do {
    cursors.push(after);
    const page = await list({ limit, after });
    found += page.items.length;
    after = page.next;
  } while (after !== undefined);
  if (found !== expected) throw new Error(`The list has ${found} entries of ${expected}.`);
  return cursors[Math.floor(cursors.length / 2)];
}

/** Threads that a plain graph left behind: most of them ended, some ask. */
async function fill(checkpointer: Checkpointer, threads: number): Promise<void> {
  const State = Annotation.Root({ case: Annotation<number>, approved: Annotation<boolean> });
  const graph = new StateGraph(State)
    .addNode("decide", (state) => ({ approved: state.case % ASKS === 0 ? interrupt(`Approve ${state.case}?`) : true }))
    .addEdge(START, "decide")
    .addEdge("decide", END)
    .compile({ checkpointer });
  const waiting = Array.from({ length: threads }, (_, index) => index).values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const index of waiting) await graph.invoke({ case: index }, onThread(`case-${index}`));
    }),
  );
}
