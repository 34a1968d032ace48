/**
 * What LangGraph does with a node's result, without a LangChain context for each of its functions: to make one takes longer
 * than what it is made for. The node and its routers have theirs as ever.
 */
import type { TaskConfig, TaskRunnable } from "./pregel.ts";

/** LangChain's sequence of a node and what follows it. */
interface NodeAndWriters {
  readonly first: TaskRunnable;
  readonly middle: readonly TaskRunnable[];
  readonly last: TaskRunnable;
}

/** What writes to channels: each value as it is, or what a function makes of it. */
interface ChannelWriteLike extends TaskRunnable {
  readonly writes: readonly { readonly mapper?: Partial<MapperLike> }[];
  _write(input: unknown, config: TaskConfig): Promise<unknown>;
}

interface MapperLike extends TaskRunnable {
  /** Whether it is told to tracing. */
  readonly trace: boolean;
  /** Whether a Runnable that it returns is invoked. */
  readonly recurse: boolean;
  func(input: unknown, config: TaskConfig): unknown;
}

/** LangGraph's name for what runs a router; one that follows every node does what a Command says. */
const BRANCH_RUN = "<branch_run>";

/**
 * The same node, with writers that are quicker.
 * @param hasRouters whether conditional edges lead from the node
 */
export function withPlainWriters(run: TaskRunnable & Partial<NodeAndWriters>, hasRouters: boolean): TaskRunnable {
  const { first, middle, last } = run;
  if (first === undefined || !Array.isArray(middle) || last === undefined) return run;
  const writers = [...middle, last] as TaskRunnable[];
  const branches = writers.filter(isBranchRun);
  const ofCommands = hasRouters || branches.length !== 1 ? undefined : branches[0];
  const plain = writers.map((writer) => (writer === ofCommands ? onlyForCommands(writer) : plainWriter(writer)));
  const copy = Object.assign(Object.create(Object.getPrototypeOf(run) as object) as TaskRunnable, run);
  return Object.assign(copy, { middle: plain.slice(0, -1), last: plain.at(-1) });
}

/** A result that is no Command, no Send and no list, which may hold some, leads nowhere. */
function onlyForCommands(writer: TaskRunnable): TaskRunnable {
  const invoke = async (result: unknown, config: TaskConfig): Promise<unknown> =>
    mayLeadOn(result) ? writer.invoke(result, config) : result;
  return Object.assign(Object.create(writer) as TaskRunnable, { invoke });
}

function mayLeadOn(result: unknown): boolean {
  return typeof result === "object" && result !== null && (Array.isArray(result) || "lg_name" in result);
}

function plainWriter(writer: TaskRunnable): TaskRunnable {
  if (!isChannelWrite(writer) || !writer.writes.every(({ mapper }) => mapper === undefined || isPlain(mapper)))
    return writer;
  const copy = Object.create(writer) as ChannelWriteLike;
  const writes = writer.writes.map((write) => {
    const mapper = write.mapper as MapperLike | undefined;
    if (mapper === undefined) return write;
    const invoke = async (input: unknown, config: TaskConfig): Promise<unknown> => mapper.func(input, config);
    return { ...write, mapper: Object.assign(Object.create(mapper) as MapperLike, { invoke }) };
  });
  return Object.assign(copy, { writes, invoke: (input: unknown, config: TaskConfig) => copy._write(input, config) });
}

function isPlain({ trace, recurse, func }: Partial<MapperLike>): boolean {
  return trace === false && recurse === false && typeof func === "function";
}

function isChannelWrite(writer: TaskRunnable & Partial<ChannelWriteLike>): writer is ChannelWriteLike {
  return Array.isArray(writer.writes) && typeof writer._write === "function";
}

function isBranchRun(writer: TaskRunnable & Partial<MapperLike> & { readonly name?: string }): boolean {
  return writer.name === BRANCH_RUN && writer.trace === false;
}
