import { createHash } from "node:crypto";
import { INTERRUPT, RESUME } from "@langchain/langgraph-checkpoint";
import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import { z } from "zod";
import { PerdureError, parseOptions, show } from "../errors/index.ts";
import { isOutputChannel } from "./answers.ts";
import { ownInterrupt, storedInterrupts } from "./stored-interrupts.ts";

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

/** An interrupt as it is stored: LangGraph's, with the mark of a runner if one drove the thread. */
export interface InterruptWrite {
  readonly id?: string;
  readonly value?: unknown;
  readonly perdure?: { readonly answers?: number; readonly nested?: boolean };
}

const PageOptions = z.strictObject({
  limit: z.int().min(1).max(1000).default(50),
  after: z.string().min(1).max(1000).optional(),
  interrupted: z.boolean().default(false),
});

/** Checks the options of a list and fills in the defaults. */
export function parseListOptions(method: string, options: ListThreadsOptions): z.infer<typeof PageOptions> {
  return parseOptions(method, PageOptions, options);
}

/**
 * The id of a question: the same over restarts, another one for each question (H4). A task's id already
 * stands for its checkpoint and namespace. It has the form of LangGraph's own ids (32 hex digits), so its
 * clients send it back as they would theirs.
 */
export function interruptId(taskId: string, answersBefore: number): string {
  return createHash("sha256").update(`${taskId}:${answersBefore}`).digest("hex").slice(0, 32);
}

/** A place in a list as an opaque text. */
export function cursorOf(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}

/** Reads {@link cursorOf}; a text that is none is OPTIONS_INVALID. */
export function keyOfCursor(method: string, cursor: string, length: number): readonly (string | number)[] {
  const key = z.array(z.union([z.string(), z.number()])).length(length);
  let given: unknown;
  try {
    given = JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    // Not one of ours.
  }
  const parsed = key.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new PerdureError("OPTIONS_INVALID", `${method}: \`after\` can't be ${show(cursor)}.`, {
    hint: "Pass the `next` of the page before.",
  });
}

/** The id under which a stored interrupt is answered. */
export function idOfInterrupt(taskId: string, { id, perdure }: InterruptWrite): string {
  return perdure?.answers === undefined ? (id ?? taskId) : interruptId(taskId, perdure.answers);
}

/** When a checkpoint was made, by its id, a UUID of version 6: the count of 100 ns since 15 October 1582. */
export function timeOfCheckpoint(id: string): string | undefined {
  const [high = "", mid = "", low = ""] = id.split("-");
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-6[0-9a-f]{3}-/u.test(id)) return undefined;
  const ticks = BigInt(`0x${high}${mid}${low.slice(1)}`);
  return new Date(Number(ticks / 10_000n - 12_219_292_800_000n)).toISOString();
}

/**
 * The questions that are open in a thread, by the newest checkpoints of its namespaces. What a subgraph asks is
 * stored there; the task of the root that it belongs to only repeats it.
 */
export function openInterruptsOf(threadId: string, tuples: readonly CheckpointTuple[]): ListedInterrupt[] {
  const head = tuples.find((tuple) => namespaceOf(tuple) === "");
  const found = new Map<string, ListedInterrupt>();
  for (const tuple of tuples.toSorted((one, other) => namespaceOf(other).length - namespaceOf(one).length)) {
    // Older than the head: of a superstep that is past.
    if (head !== undefined && tuple.checkpoint.id < head.checkpoint.id) continue;
    for (const [taskId, channel, value] of tuple.pendingWrites ?? []) {
      const write = channel === INTERRUPT ? ownInterrupt<InterruptWrite>(value) : undefined;
      if (write === undefined || write.perdure?.nested === true || !isOpen(tuple, taskId, write)) continue;
      const id = idOfInterrupt(taskId, write);
      if (storedInterrupts<InterruptWrite>(value).some((one) => found.has(idOfInterrupt(taskId, one)))) continue;
      found.set(id, {
        id,
        threadId,
        checkpointNs: namespaceOf(tuple),
        taskId,
        value: write.value,
        askedAt: tuple.checkpoint.ts,
      });
    }
  }
  return [...found.values()];
}

function isOpen(tuple: CheckpointTuple, taskId: string, { perdure }: InterruptWrite): boolean {
  const own = (tuple.pendingWrites ?? []).filter(([task]) => task === taskId);
  if (own.some(([, channel]) => isOutputChannel(channel))) return false;
  const answers = own.find(([, channel]) => channel === RESUME)?.[2];
  return perdure?.answers === undefined || !Array.isArray(answers) || answers.length <= perdure.answers;
}

function namespaceOf(tuple: CheckpointTuple): string {
  return String(tuple.config.configurable?.["checkpoint_ns"] ?? "");
}
