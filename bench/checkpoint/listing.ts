import { interrupt, Annotation, END, START, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { interleave } from "../interleave.ts";
import { elapsedTimeOf } from "../elapsed-time.ts";
import type { Contender } from "./contender.ts";
import { onThread } from "./conversation.ts";

/** One of so many threads waits for an answer. */
const ASKS = 10;

/** How long the first page takes, in milliseconds, in each round. */
export interface ListingTimes {
  readonly threads: readonly number[];
  readonly interrupts: readonly number[];
  /** How many there are of each in the database. */
  readonly threadCount: number;
  readonly interruptCount: number;
}

/** What a checkpointer can list. */
interface Lister {
  listThreads(options: { readonly limit: number }): Listed | Promise<Listed>;
  listInterrupts(options: { readonly limit: number }): Listed | Promise<Listed>;
}

type Listed = Iterable<unknown> | AsyncIterable<unknown>;

/**
 * Fills a database with threads, and lists the first page of them and of the open interrupts.
 * @returns undefined when the saver can list neither
 */
export async function measureListing(
  contender: Contender,
  options: { readonly threads: number; readonly limit: number; readonly rounds: number },
): Promise<ListingTimes | undefined> {
  const { threads, limit, rounds } = options;
  const { saver, close } = await contender.open("listing");
  try {
    if (!isLister(saver)) return undefined;
    await fill(saver, threads);
    const interrupts = Math.ceil(threads / ASKS);
    const times = await interleave(
      [
        { name: "threads", prepare: async () => page(() => saver.listThreads({ limit }), Math.min(limit, threads)) },
        {
          name: "interrupts",
          prepare: async () => page(() => saver.listInterrupts({ limit }), Math.min(limit, interrupts)),
        },
      ],
      { rounds, timeOf: elapsedTimeOf },
    );
    return { ...times, threadCount: threads, interruptCount: interrupts };
  } finally {
    await close();
  }
}

function page(list: () => Listed | Promise<Listed>, expected: number) {
  let found = 0;
  return {
    run: async () => {
      for await (const item of await list()) if (item !== undefined) found += 1;
    },
    finish: async () => {
      if (found !== expected) throw new Error(`The list has ${found} entries of ${expected}.`);
    },
  };
}

/** Threads that a plain graph left behind: most of them ended, some ask. */
async function fill(saver: BaseCheckpointSaver, threads: number): Promise<void> {
  const State = Annotation.Root({ case: Annotation<number>, approved: Annotation<boolean> });
  const graph = new StateGraph(State)
    .addNode("decide", (state) => ({ approved: state.case % ASKS === 0 ? interrupt(`Approve ${state.case}?`) : true }))
    .addEdge(START, "decide")
    .addEdge("decide", END)
    .compile({ checkpointer: saver });
  const waiting = Array.from({ length: threads }, (_, index) => index).values();
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      for (const index of waiting) await graph.invoke({ case: index }, onThread(`case-${index}`));
    }),
  );
}

function isLister(saver: object): saver is Lister {
  return "listThreads" in saver && "listInterrupts" in saver;
}
