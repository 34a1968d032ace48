import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { ToolCall } from "@langchain/core/messages";
import type { StructuredToolInterface } from "@langchain/core/tools";
import {
  Annotation,
  type AnnotationRoot,
  END,
  type LangGraphRunnableConfig,
  MessagesAnnotation,
  Send,
  START,
  type StateDefinitionInit,
  StateGraph,
  type StateType,
  type UpdateType,
} from "@langchain/langgraph";
import { z } from "zod";

import { anyFunction, parseOptions } from "../errors/index.ts";
import {
  type Budget,
  decisionsChannel,
  modelNode,
  nodeTraits,
  type Policies,
  type Prompt,
  type ToolErrorPolicy,
  usageChannel,
  withPolicies,
} from "../nodes/index.ts";
import { addGuardedEdge, type GuardedGraph, type RouterState } from "./capped-edge.ts";
import { refuseUnsafe } from "./check-graph.ts";
import { type Extended, extendState } from "./extend-state.ts";
import { refuseNodeName } from "./node-name.ts";
import { mendMessage, openCalls, withAllAnswered } from "./open-calls.ts";
import { actNode, type ToolApproval } from "./react-act.ts";
import { ITERATIONS, RoundLimit } from "./react-allowance.ts";
import { actTraits, type Approve, refuseUnguardedTools, refuseUnknownTools, task } from "./react-approve.ts";
import { askNode, finishNode, limitNode, type LimitState, stopNode } from "./react-limit.ts";

/** The channels every {@link reactGraph} has: the conversation, the tokens used, and what people decided. */
export type ReactChannels = {
  messages: typeof MessagesAnnotation.spec.messages;
  usage: ReturnType<typeof usageChannel>;
  decisions: ReturnType<typeof decisionsChannel>;
};

/** The channels of a {@link reactGraph} with the caller's own. */
export type ReactDefinition<Schema> = Extended<Schema, ReactChannels>;

/** The nodes of a {@link reactGraph}, which depend on its `onLimit`. */
export type ReactNodes<OnLimit extends string> =
  | "reason"
  | "act"
  | (OnLimit extends "finish"
      ? "finish"
      : OnLimit extends "ask"
        ? "ask" | "finish"
        : OnLimit extends "error"
          ? "limit" | "stop"
          : "limit");

/** What a {@link reactGraph} is made of. */
export interface ReactGraphOptions<
  Tools extends readonly StructuredToolInterface[],
  Schema extends StateDefinitionInit,
  OnLimit extends string,
> {
  /** Any LangChain chat model. */
  readonly model: BaseChatModel;
  /** The tools it may call. One that says `effect("irreversible")` needs an approval or a compensating tool. */
  readonly tools: Tools;
  /** What the model is told before the conversation. @default nothing */
  readonly prompt?: Prompt<StateType<ReactDefinition<Schema>>>;
  /** How many rounds of tools a turn may run. @default 10 */
  readonly maxIterations?: number;
  /**
   * What happens when the model wants another round than it may have:
   * - `"finish"`: it answers from what it has
   * - `"ask"`: a person is asked whether to go on, and for how many rounds; after a no it is `"finish"`
   * - `"error"`: the turn fails with `ITERATION_LIMIT` or `BUDGET_EXCEEDED`
   * - any other: the name of a node, which the caller adds to the graph
   * @default "finish"
   */
  readonly onLimit?: OnLimit;
  /** Which calls a person is asked about first: tools by name, or a function that says so for a call. @default none */
  readonly approve?:
    | readonly Tools[number]["name"][]
    | ((
        call: ToolCall,
        state: StateType<ReactDefinition<Schema>>,
      ) => boolean | ToolApproval | Promise<boolean | ToolApproval>);
  /** What a turn may spend in the model and the tools; looked at before each round of tools. @default no limit */
  readonly budget?: Omit<Budget, "iterations">;
  /** Rules for calls of the model. @default none */
  readonly modelPolicies?: Omit<Policies, "budget">;
  /** Rules for each tool call. @default none */
  readonly toolPolicies?: Omit<Policies, "budget">;
  /** Whether the model is told of a tool's error, or the node fails with it. @default "tell" */
  readonly onToolError?: ToolErrorPolicy;
  /** More channels, as an `Annotation.Root`, a zod object or a `StateSchema`. Tools get them as `config.state`. @default none */
  readonly state?: Schema;
}

const Options = z.object({
  tools: z.array(
    z.custom<StructuredToolInterface>(
      (tool) => typeof tool === "object" && tool !== null && "name" in tool,
      "is no tool",
    ),
  ),
  maxIterations: z.int().min(1).default(10),
  onLimit: z.string().min(1).default("finish"),
  approve: z.union([z.array(z.string()), anyFunction], "must be names of tools, or a function").optional(),
});

/**
 * A graph that lets a model reason, act with tools and observe what they return, until it answers. Its nodes are
 * "reason" (the model), "act" (one task per tool call) and, by `onLimit`, "finish", "ask", "limit" and "stop".
 *
 * - Calls of one message run in parallel, each in a task of its own, so a call that waits for an approval holds up
 *   no other and a finished one never runs again (H13). Their messages come in the order of the calls (I6).
 * - Rounds are counted in the state, per turn, and enforced in the conditional edge (H8).
 * - No call stays unanswered, whatever becomes of it: providers refuse such a conversation.
 *
 * Returns a `StateGraph`, not compiled: add to it, embed it, draw it. A runner drives it as far as its cap allows; LangGraph's own
 * `invoke` stops at its `recursionLimit` of 25 supersteps, which is 11 rounds.
 *
 * @throws {PerdureError} `OPTIONS_INVALID`; `GRAPH_INVALID` where `state` has a channel with the name of a node; `GRAPH_UNSAFE` for an irreversible tool without approval or compensation.
 *
 * @example
 * const graph = reactGraph({ model, tools: [lookUpOrder, refundOrder], approve: ["refund_order"] });
 * const runner = createRunner(graph, { name: "support", checkpointer });
 */
export function reactGraph<
  const Tools extends readonly StructuredToolInterface[],
  Schema extends StateDefinitionInit = AnnotationRoot<Record<never, never>>,
  const OnLimit extends string = "finish",
>(
  options: ReactGraphOptions<Tools, Schema, OnLimit>,
): StateGraph<
  ReactDefinition<Schema>,
  StateType<ReactDefinition<Schema>>,
  UpdateType<ReactDefinition<Schema>>,
  typeof START | ReactNodes<OnLimit>
> {
  const { maxIterations, onLimit } = parseOptions("reactGraph", Options, options);
  const {
    model,
    tools,
    prompt,
    approve,
    budget,
    state,
    onToolError,
    modelPolicies = {},
    toolPolicies = {},
  } = options as LooseOptions;
  refuseUnknownTools(tools, approve);
  refuseUnguardedTools(tools, approve);

  const channels = { messages: MessagesAnnotation.spec.messages, usage: usageChannel(), decisions: decisionsChannel() };
  const graph = new StateGraph(extendState(state ?? Annotation.Root({}), channels)) as unknown as LooseGraph;
  const extras = Object.keys(graph.channels).filter((key) => !(key in channels));
  const limit = new RoundLimit(maxIterations, budget);
  limit.addTo(graph);
  for (const name of nodeNames(onLimit)) refuseNodeName("reactGraph", name, graph.channels);

  const asks = { model, tools, ...(prompt === undefined ? {} : { prompt }) };
  const think = withPolicies(mended(modelNode<LimitState>(asks)), { ...modelPolicies, budget: limit.counting });
  const conclude = modelNode<LimitState>(tools.length === 0 ? asks : { ...asks, toolChoice: "none" });
  const answer = withPolicies(mended(conclude), { ...modelPolicies, budget: limit.counting });
  const act = withPolicies(actNode(tools, onToolError), { ...toolPolicies, budget: limit.counting });

  // These nodes read the channels that count, which are no part of the graph's own state.
  const everything = { input: Annotation.Root({ ...graph.channels }) };
  graph
    .addNode("reason", think)
    .addNode("act", act, nodeTraits(actTraits(tools, approve)))
    .addEdge(START, "reason")
    .addEdge("act", "reason");
  if (onLimit === "ask") graph.addNode("ask", askNode(limit), { ...everything, ...nodeTraits({ approval: true }) });
  if (onLimit === "ask" || onLimit === "finish") graph.addNode("finish", finishNode(limit, answer), everything);
  else {
    graph.addNode("limit", limitNode(limit), everything).addEdge("limit", onLimit === "error" ? "stop" : onLimit);
    if (onLimit === "error") graph.addNode("stop", stopNode(limit), everything);
  }

  const toCalls = async (from: RouterState) => {
    const calls = openCalls((from as LimitState).messages);
    const shared = Object.fromEntries(extras.map((key) => [key, from[key]]));
    return Promise.all(calls.map(async (call) => new Send("act", { ...shared, ...(await task(call, from, approve)) })));
  };
  const toAct = { to: "act", counter: ITERATIONS, isSpent: (from: RouterState) => limit.spent(from) !== undefined };
  addGuardedEdge(graph, {
    ...toAct,
    from: "reason",
    guard: { to: "act", max: maxIterations },
    onLimit: onLimit === "ask" || onLimit === "finish" ? onLimit : "limit",
    others: [END],
    route: async (from) => {
      const sends = await toCalls(from);
      return sends.length === 0 ? END : sends;
    },
  });
  if (onLimit === "ask") {
    addGuardedEdge(graph, {
      ...toAct,
      from: "ask",
      guard: { to: "act", asks: true },
      onLimit: "finish",
      others: [],
      route: toCalls,
    });
  }
  refuseUnsafe(graph as never);
  return graph as never;
}

/** The nodes it will have, its caller's own not among them. */
function nodeNames(onLimit: string): string[] {
  const last: Record<string, string[]> = { ask: ["ask", "finish"], finish: ["finish"], error: ["limit", "stop"] };
  return ["reason", "act", ...(last[onLimit] ?? ["limit"])];
}

/** The options once their types have done their work on the caller. */
type LooseOptions = Omit<
  ReactGraphOptions<readonly StructuredToolInterface[], StateDefinitionInit, string>,
  "prompt" | "approve"
> & {
  readonly prompt?: Prompt<LimitState>;
  readonly approve?: Approve;
};

/** The graph without the types of its nodes, which depend on the options. */
type LooseGraph = GuardedGraph & {
  addNode(name: string, node: unknown, options?: object): LooseGraph;
  addEdge(from: string, to: string): LooseGraph;
};

function mended(think: ReturnType<typeof modelNode<LimitState>>) {
  return async (state: LimitState, config: LangGraphRunnableConfig) => {
    const update = await think({ ...state, messages: withAllAnswered(state.messages) }, config);
    return {
      ...update,
      messages: update.messages.map((message) => mendMessage(message, state.messages, config.executionInfo?.taskId)),
    };
  };
}
