import { z } from "zod";
import { PerdureError, parseOptions, show } from "../errors/index.ts";

/** Which part of a list to read. */
export interface ListPageOptions {
  /**
   * How many at most, up to 1000.
   * @default 50
   */
  readonly limit?: number | undefined;
  /**
   * Go on after this page: its `next`.
   * @default from the start
   */
  readonly after?: string | undefined;
}

/** Which threads {@link Checkpointer.listThreads} lists. */
export interface ListThreadsOptions extends ListPageOptions {
  /**
   * Only threads in which a question is open.
   * @default false
   */
  readonly interrupted?: boolean | undefined;
}

/** A part of a list. */
export interface ListPage<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins; absent on the last one. */
  readonly next?: string;
}

/** A thread in a list of them. */
export interface ListedThread {
  readonly threadId: string;
  /** The newest checkpoint of the root namespace; absent while there is none. */
  readonly checkpointId?: string;
  /** When that was made, as an ISO date, read off its id; absent when the id is not one of LangGraph's. */
  readonly updatedAt?: string;
  /** How many questions are open. */
  readonly openInterrupts: number;
}

/** A question that waits for its answer. */
export interface ListedInterrupt {
  /** Names it in `runner.resume`, or in LangGraph's `Command({ resume })` where no runner drove the thread. */
  readonly id: string;
  readonly threadId: string;
  /** The namespace of the graph that asks; empty for the root. */
  readonly checkpointNs: string;
  readonly taskId: string;
  /** What was asked: the argument of `interrupt()`. */
  readonly value: unknown;
  /** When it was asked, as an ISO date. */
  readonly askedAt: string;
}

const PageOptions = z.strictObject({
  limit: z.int().min(1).max(1000).default(50),
  // It has the namespace of a question, which is long in a deep subgraph.
  after: z.string().min(1).max(10_000).optional(),
  interrupted: z.boolean().default(false),
});

/** Checks the options of a list and fills in the defaults. */
export function parseListOptions(method: string, options: ListThreadsOptions): z.infer<typeof PageOptions> {
  return parseOptions(method, PageOptions, options);
}

/** A place in a list as an opaque text. */
export function cursorOf(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}

/**
 * Reads {@link cursorOf}; a text that is none is OPTIONS_INVALID.
 * @param keySchema What a key of this list looks like: a key of another one would be an error of the database, or an empty page.
 */
export function keyOfCursor<S extends z.ZodType>(method: string, cursor: string, keySchema: S): z.output<S> {
  let given: unknown;
  try {
    given = JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    // Not one of ours.
  }
  const parsed = keySchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new PerdureError("OPTIONS_INVALID", `${method}: \`after\` can't be ${show(cursor)}.`, {
    hint: "Pass the `next` of the page before.",
  });
}
