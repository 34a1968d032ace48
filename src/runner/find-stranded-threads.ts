import { EMPTY_RECORD } from "../checkpoint/index.ts";
import type { Checkpointer, ListedThread } from "../checkpoint/index.ts";
import type { DrivableGraph } from "./graph-types.ts";
import { missingAtWork } from "./missing-below.ts";
import { namesOf, toPregel } from "./pregel.ts";
import { PregelEngine } from "./pregel-engine.ts";
import { viewOf } from "./thread-view.ts";

/** Options of {@link findStrandedThreads}. */
export interface FindStrandedOptions {
  /**
   * Which threads to look at, by their ids: a thread does not say of which graph it is, so a checkpointer that keeps
   * those of several needs it. @default all
   */
  readonly only?: (threadId: string) => boolean;
}

/** A thread that a graph can't go on with. */
export interface StrandedThread {
  readonly threadId: string;
  /** Where it goes next, and the graph has no such node. One of a subgraph has that before it, as "review|ask". */
  readonly nodes: readonly string[];
}

/** So many threads are read at the same time. */
const AT_ONCE = 16;
const PAGE = 1_000;

/**
 * Lists the threads that would fail with GRAPH_CHANGED when this graph were deployed: their next nodes are not in it.
 * Runs nothing; reads the newest checkpoint of each thread, and those of its subgraphs that wait or are at work. A thread that
 * moves on meanwhile may be listed for where it was.
 * @throws GRAPH_UNSUPPORTED
 *
 * @example
 * for await (const { threadId, nodes } of findStrandedThreads(nextVersion, checkpointer)) console.warn(threadId, nodes);
 */
export async function* findStrandedThreads(
  graph: DrivableGraph,
  checkpointer: Checkpointer,
  { only = () => true }: FindStrandedOptions = {},
): AsyncGenerator<StrandedThread> {
  const pregel = toPregel(graph);
  const engine = new PregelEngine(pregel, checkpointer);
  const hasSubgraphs = namesOf(pregel).below.size > 0;
  const look = async ({ threadId }: ListedThread): Promise<StrandedThread> => {
    const head = await checkpointer.getTuple({ configurable: { thread_id: threadId, checkpoint_ns: "" } });
    const nodes = head === undefined ? [] : engine.missingNodes(head);
    if (head === undefined || nodes.length > 0 || !hasSubgraphs) return { threadId, nodes };
    const view = await viewOf(engine, checkpointer, { threadId, head, record: EMPTY_RECORD });
    const { missing } = view;
    return { threadId, nodes: missing.length > 0 ? missing : await missingAtWork(engine, checkpointer, view) };
  };
  let after: string | undefined;
  do {
    const { items, next } = await checkpointer.listThreads({ limit: PAGE, after });
    const wanted = items.filter(({ threadId }) => only(threadId));
    for (let first = 0; first < wanted.length; first += AT_ONCE) {
      const seen = await Promise.all(wanted.slice(first, first + AT_ONCE).map(look));
      yield* seen.filter(({ nodes }) => nodes.length > 0);
    }
    after = next;
  } while (after !== undefined);
}
