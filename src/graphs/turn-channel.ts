/**
 * Channels that start anew with each turn. A turn is one new input on a thread; a resume, a `continue`
 * after a crash and a `Command` given as input belong to the turn that is under way.
 *
 * LangGraph runs a graph's START node once per input and never on a resume, so that is where a turn
 * begins: a conditional edge on START that leads nowhere writes the channel's first value. START's
 * writes are pending writes like any task's, so a crash between them and the next node changes nothing.
 * A subgraph's START runs once per call of the subgraph, so its channels start anew with each call.
 */
import { RunnableLambda, type RunnableConfig } from "@langchain/core/runnables";
import { BaseChannel, Overwrite, START, type OverwriteValue } from "@langchain/langgraph";
import { Channel } from "@langchain/langgraph/pregel";

import { PerdureError } from "../errors/index.ts";

/** What {@link TurnChannel} needs to know. */
export interface TurnChannelOptions<Value, Update> {
  /** The value before the thread's first turn. */
  readonly initial: Value;
  /** The value a turn starts with, from the state with the new input in it. @default `initial` */
  readonly start?: (state: Readonly<Record<string, unknown>>) => Value;
  /** The new value from all updates of one superstep, in the order of its tasks. Must not change its arguments. */
  readonly reduce: (value: Value, updates: readonly Update[]) => Value;
}

/** A channel whose value starts anew with each turn; {@link addTurnChannel} puts it into a graph. */
export class TurnChannel<Value, Update = Value> extends BaseChannel<Value, Update, Value> {
  readonly lc_graph_name = "TurnChannel";
  readonly options: TurnChannelOptions<Value, Update>;
  #value: Value;

  constructor(options: TurnChannelOptions<Value, Update>) {
    super();
    this.options = options;
    this.#value = options.initial;
  }

  override fromCheckpoint(checkpoint?: Value): this {
    const channel = new TurnChannel(this.options);
    if (checkpoint !== undefined) channel.#value = checkpoint;
    // `this` is always a plain TurnChannel: nothing extends it.
    return channel as this;
  }

  /** An `Overwrite` sets the value and what stands beside it is dropped, so an input cannot set what a turn may spend. */
  override update(updates: (Update | OverwriteValue<Value>)[]): boolean {
    if (updates.length === 0) return false;
    const set = updates.findLast((update): update is OverwriteValue<Value> => Overwrite.isInstance(update));
    this.#value = set === undefined ? this.options.reduce(this.#value, updates as Update[]) : set.__overwrite__;
    return true;
  }

  override get(): Value {
    return this.#value;
  }

  override checkpoint(): Value {
    return this.#value;
  }

  override isAvailable(): boolean {
    return true;
  }

  override equals(other: BaseChannel): boolean {
    return other instanceof TurnChannel && other.options === this.options;
  }
}

/** The parts of a `StateGraph` that hold its channels and START's edges. */
export interface ChannelHolder {
  channels: Record<string, BaseChannel>;
  branches: Record<string, Record<string, unknown>>;
  addConditionalEdges(options: {
    source: typeof START;
    path: RunnableLambda<never, string[]>;
    pathMap: never[];
  }): unknown;
}

/**
 * Puts a channel that starts anew with each turn into a graph and returns it. The channel is no part of the graph's
 * input and output types; routers find it in the state under its name. If the graph's own state
 * already has this channel, only its start is added.
 *
 * @throws {PerdureError} `GRAPH_INVALID` if the name is taken by something else.
 */
export function addTurnChannel<Value, Update>(
  graph: ChannelHolder,
  name: string,
  channel: TurnChannel<Value, Update>,
): TurnChannel<Value, Update> {
  const existing = graph.channels[name];
  const taken = existing !== undefined && !(existing instanceof TurnChannel);
  if (taken || graph.branches[START]?.[startNameOf(name)] !== undefined) {
    throw new PerdureError("GRAPH_INVALID", `The graph already has a channel "${name}".`, {
      hint: "Give one of them another name; a capped edge's is its `counter`.",
    });
  }
  if ("__root__" in graph.channels) {
    throw new PerdureError(
      "GRAPH_INVALID",
      `The graph's state is a single value, so the channel "${name}" has no place in it.`,
      {
        hint: "Use a state with named keys.",
      },
    );
  }
  const used = (existing as TurnChannel<Value, Update> | undefined) ?? channel;
  graph.channels[name] = used;
  startEachTurn(graph, name, (state) => used.options.start?.(state) ?? used.options.initial);
  return used;
}

/** Has each turn begin with this value in a channel: a {@link TurnChannel}, or one of LangGraph's with a reducer. */
export function startEachTurn(
  graph: ChannelHolder,
  name: string,
  value: (state: Readonly<Record<string, unknown>>) => unknown,
): void {
  const path = RunnableLambda.from(async (state: Record<string, unknown>, config: RunnableConfig) => {
    const start: OverwriteValue<unknown> = { __overwrite__: value(state) };
    await writeChannel(name, start, config);
    return [];
  });
  path.name = startNameOf(name);
  graph.addConditionalEdges({ source: START, path, pathMap: [] });
}

/**
 * Writes to a channel from inside a conditional edge. The edge runs in its node's own task, so the
 * write is stored with the node's writes or not at all.
 */
export async function writeChannel(name: string, update: unknown, config: RunnableConfig): Promise<void> {
  await Channel.writeTo([], { [name]: update }).invoke(null, config);
}

/**
 * A channel that counts rounds, for the `counter` of a {@link cappedEdge}: put it into a state (`rounds: turnCounter`) whose nodes
 * are to see the count. Several tasks of one superstep that count are one round.
 */
export function turnCounter(): TurnChannel<number, number> {
  return new TurnChannel({ initial: 0, reduce: (count, added) => count + Math.max(...added) });
}

function startNameOf(channel: string): string {
  return `turn ${channel}`;
}
