/**
 * What the runner infers from a graph's type. LangGraph keeps these types on its classes under keys
 * that begin with "~"; a builder carries them on what it compiles to, an agent on its `graph`.
 */

import type { Command } from "@langchain/langgraph";

/** A graph that was compiled: by a StateGraph, `createAgent` or `entrypoint`. */
interface Compiled {
  readonly "~InputType": unknown;
  readonly "~OutputType": unknown;
}

/** What a runner can drive: a StateGraph, a compiled graph, an agent made by createAgent, or an entrypoint. */
export type DrivableGraph = Compiled | { readonly graph: Compiled } | { compile(): Compiled };

type CompiledOf<G> = G extends Compiled
  ? G
  : G extends { readonly graph: infer Inner extends Compiled }
    ? Inner
    : G extends { compile(): infer Inner extends Compiled }
      ? Inner
      : never;

/** An agent made by createAgent: its `graph` says nothing of its types, its `invoke` does. */
interface AgentLike<Input, Values> {
  readonly graph: Compiled;
  invoke(input: Input, config?: never): Promise<Values>;
}

/** What a run of the graph is started with. */
export type InputOf<G> =
  G extends AgentLike<infer Input, unknown> ? Exclude<Input, Command | null> : CompiledOf<G>["~InputType"];

/** The state of a thread of the graph; for an entrypoint, what it returns. */
export type ValuesOf<G> =
  G extends AgentLike<never, infer Values>
    ? Values
    : CompiledOf<G> extends { readonly "~RunOutput": infer State }
      ? State
      : OutputOf<G>;

/** The part of the state that a run of the graph returns to whoever invokes it. */
export type OutputOf<G> = G extends AgentLike<never, infer Values> ? Values : Awaited<CompiledOf<G>["~OutputType"]>;

/** What a node of the graph returns to change the state. */
export type UpdateOf<G> =
  CompiledOf<G> extends { readonly "~RunInput": infer Update } ? Known<Update, Partial<ValuesOf<G>>> : OutputOf<G>;

/** The names of the graph's nodes. */
export type NodeOf<G> =
  CompiledOf<G> extends { readonly "~NodeType": infer Node }
    ? Exclude<Known<Node, string>, "__start__"> & string
    : string;

/** What is inferred, unless it is `any`, as an agent's nodes and updates are. */
type Known<Inferred, Else> = 0 extends 1 & Inferred ? Else : Inferred;

/** What the graph's nodes ask by `interrupt()`, as far as the StateGraph was told. */
export type AskedOf<G> =
  CompiledOf<G> extends { isInterrupted(input: unknown): input is { __interrupt__: { value?: infer Asked }[] } }
    ? Asked
    : unknown;
