import type { Driver } from "./driver.ts";

/** A checkpoint of a thread's past. */
export interface ThreadCheckpoint<Values = Record<string, unknown>, Node extends string = string> {
  readonly checkpointId: string;
  /** The checkpoint it was committed on; absent for the first. */
  readonly parentId?: string;
  readonly step: number;
  /** What made it: an input, a superstep, `runner.update`, or `runner.fork`. */
  readonly source: "input" | "loop" | "update" | "fork";
  /** The nodes that ran after it, or are to run next. */
  readonly next: readonly Node[];
  readonly values: Values;
  /** When it was committed, as an ISO date. */
  readonly createdAt: string;
}

/** Which part of a thread's past to read. */
export interface HistoryOptions {
  /** Most checkpoints to read. @default all */
  readonly limit?: number;
  /** Only checkpoints older than this one. */
  readonly before?: string;
}

/** Reads a thread's checkpoints, newest first. */
export async function* readHistory(
  { engine, checkpointer }: Driver,
  threadId: string,
  { limit, before }: HistoryOptions,
): AsyncGenerator<ThreadCheckpoint<unknown>> {
  const thread = { thread_id: threadId, checkpoint_ns: "" };
  const tuples = checkpointer.list(
    { configurable: thread },
    {
      ...(limit === undefined ? {} : { limit }),
      ...(before === undefined ? {} : { before: { configurable: { ...thread, checkpoint_id: before } } }),
    },
  );
  for await (const tuple of tuples) {
    const { values, tasks } = await engine.view(tuple, { applyFinished: false });
    const parentId: unknown = tuple.parentConfig?.configurable?.["checkpoint_id"];
    yield {
      checkpointId: tuple.checkpoint.id,
      ...(typeof parentId === "string" ? { parentId } : {}),
      step: tuple.metadata?.step ?? -1,
      source: tuple.metadata?.source ?? "loop",
      next: tasks.map(({ node }) => node),
      values,
      createdAt: tuple.checkpoint.ts,
    };
  }
}
