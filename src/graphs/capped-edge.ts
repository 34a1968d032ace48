import { type Runnable, RunnableLambda, type RunnableConfig } from "@langchain/core/runnables";
import type { END, LangGraphRunnableConfig, Send, StateDefinitionInit, StateGraph } from "@langchain/langgraph";
import { z } from "zod";

import { anyFunction, parseOptions, PerdureError, show } from "../errors/index.ts";
import { type EdgeGuard, guardEdge } from "./edge-guard.ts";
import { addTurnChannel, type ChannelHolder, turnCounter, writeChannel } from "./turn-channel.ts";

/** What {@link cappedEdge} needs to know. `N` is the graph's node names. */
export interface CappedEdgeOptions<
  S,
  N extends string,
  To extends N,
  Limit extends N | typeof END,
  Other extends N | typeof END,
> {
  /** The node the edge starts at. */
  readonly from: N;
  /** The node it leads back to; going there is what is counted. */
  readonly to: To;
  /** How many rounds a turn may go back to `to`, from 1; a function reads it from the state. */
  readonly max: number | ((state: S) => number);
  /** Where to go instead once `max` rounds are used up. */
  readonly onLimit: Limit;
  /**
   * Where to go, from the state. It may name `to`, `onLimit` and what `others` lists, or send tasks to them.
   * @default always `to`
   */
  readonly route?: (
    state: S,
    config: LangGraphRunnableConfig,
  ) => CappedRoute<NoInfer<To | Limit | Other>> | Promise<CappedRoute<NoInfer<To | Limit | Other>>>;
  /** The other places `route` may name. @default none */
  readonly others?: readonly Other[];
  /** The name of the counter's channel. @default `<from>-><to>` */
  readonly counter?: string;
}

/** What a capped edge's `route` may return: a place, a task for a place, or several of them. */
export type CappedRoute<Place extends string> = Place | Send<Place> | readonly (Place | Send<Place>)[];

const Options = z.object({
  from: z.string().min(1),
  to: z.string().min(1),
  max: z.union([z.int().min(1), anyFunction], "must be a whole number from 1, or a function of the state"),
  onLimit: z.string().min(1),
  route: anyFunction.optional(),
  others: z.array(z.string()).optional(),
  counter: z.string().min(1).optional(),
});

/**
 * Adds a conditional edge to a graph that goes back to `to` for at most `max` rounds a turn and then to `onLimit`
 * (H8: LangGraph's `recursionLimit` starts again with each call, and ends in an error). Returns the graph.
 *
 * A round is a superstep in which the edge is taken to `to`, by one task or by many. Rounds are counted in the state,
 * in a channel of the graph's own that starts anew with each new input, and not on a resume, after a
 * crash, or for a `Command` given as input. Input and output types do not have it; routers and
 * `getState().values` show it under its name.
 *
 * @throws {PerdureError} `OPTIONS_INVALID` for options out of range, `GRAPH_INVALID` if the counter's name is taken.
 *
 * @example
 * cappedEdge(graph, { from: "review", to: "write", max: 3, onLimit: END, route: (state) => (state.good ? END : "write") });
 */
export function cappedEdge<
  SD,
  S,
  U,
  N extends string,
  I extends StateDefinitionInit,
  O extends StateDefinitionInit,
  C extends StateDefinitionInit,
  Returns,
  Interrupts,
  Writes,
  To extends NoInfer<N>,
  Limit extends NoInfer<N> | typeof END,
  Other extends NoInfer<N> | typeof END = never,
>(
  graph: StateGraph<SD, S, U, N, I, O, C, Returns, Interrupts, Writes>,
  options: CappedEdgeOptions<S, NoInfer<N>, To, Limit, Other>,
): StateGraph<SD, S, U, N, I, O, C, Returns, Interrupts, Writes> {
  parseOptions("cappedEdge", Options, options);
  const { from, to, max, onLimit, route, others = [], counter = `${from}->${to}` } = options;
  const limit = typeof max === "number" ? () => max : max;
  const builder = graph as unknown as GuardedGraph;
  addTurnChannel(builder, counter, turnCounter());
  addGuardedEdge(builder, {
    from,
    to,
    onLimit,
    others,
    counter,
    guard: { to, max: typeof max === "number" ? max : undefined },
    isSpent: (state) => (state[counter] as number) >= limit(state as S),
    route: route === undefined ? () => to : (state, config) => route(state as S, config),
  });
  return graph;
}

/** {@link cappedEdge} without its types and its channel, for builders whose limit is not a plain number. */
export interface GuardedEdge {
  readonly from: string;
  readonly to: string;
  readonly onLimit: string;
  readonly others: readonly string[];
  /** The channel that counts the rounds, a {@link turnCounter}. */
  readonly counter: string;
  readonly guard: EdgeGuard;
  readonly isSpent: (state: RouterState) => boolean;
  readonly route: (state: RouterState, config: LangGraphRunnableConfig) => Destinations | Promise<Destinations>;
}

/** The state as a conditional edge reads it: every channel, the counters among them. */
export type RouterState = Readonly<Record<string, unknown>>;

type Destination = string | Send;
type Destinations = Destination | readonly Destination[];

/** What {@link addGuardedEdge} touches of a `StateGraph`. */
export type GuardedGraph = ChannelHolder & {
  addConditionalEdges(options: { source: string; path: Runnable; pathMap: string[] }): unknown;
};

/** Adds the conditional edge that counts its rounds and goes elsewhere once they are spent. */
export function addGuardedEdge(graph: GuardedGraph, edge: GuardedEdge): void {
  const { from, to, onLimit, counter } = edge;
  const places = [...new Set([to, onLimit, ...edge.others])];

  const path = RunnableLambda.from(async (state: RouterState, config: RunnableConfig): Promise<Destination[]> => {
    const answer = await edge.route(state, config);
    const chosen = Array.isArray(answer) ? (answer as Destination[]) : [answer as Destination];
    for (const destination of chosen)
      if (!places.includes(placeOf(destination))) throw unknownPlace(edge, destination, places);

    const onward = chosen.filter((destination) => placeOf(destination) !== to);
    if (onward.length === chosen.length) return chosen;
    if (edge.isSpent(state)) return [...new Set([...onward, onLimit])];
    // The same task writes its node's result, this count and the way it goes: all of it or nothing.
    await writeChannel(counter, 1, config);
    return chosen;
  });
  path.name = `${from}->${to}`;
  graph.addConditionalEdges({ source: from, path: guardEdge(path, edge.guard), pathMap: places });
}

function placeOf(destination: Destination): string {
  return typeof destination === "string" ? destination : destination.node;
}

function unknownPlace(edge: GuardedEdge, destination: unknown, places: readonly string[]): PerdureError {
  return new PerdureError(
    "GRAPH_INVALID",
    `The route of the capped edge from "${edge.from}" named ${show(destination)}, which is none of ${places.join(", ")}.`,
    { hint: "List every place it may name, beside `to` and `onLimit`, in `others`." },
  );
}
