/**
 * What the runner infers from a graph's type. LangGraph keeps these types on its classes under keys
 * that begin with "~"; a builder carries them on what it compiles to, an agent on its `graph`.
 */

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

/** What a run of the graph is started with. */
export type InputOf<G> = CompiledOf<G>["~InputType"];

/** The state of a thread of the graph; for an entrypoint, what it returns. */
export type ValuesOf<G> = CompiledOf<G> extends { readonly "~RunOutput": infer State } ? State : OutputOf<G>;

/** The part of the state that a run of the graph returns to whoever invokes it. */
export type OutputOf<G> = CompiledOf<G>["~OutputType"];

/** What a node of the graph returns to change the state. */
export type UpdateOf<G> = CompiledOf<G> extends { readonly "~RunInput": infer Update } ? Update : OutputOf<G>;

/** The names of the graph's nodes. */
export type NodeOf<G> =
  CompiledOf<G> extends { readonly "~NodeType": infer Node extends string } ? Exclude<Node, "__start__"> : string;

/** What the graph's nodes ask by `interrupt()`, as far as the StateGraph was told. */
export type AskedOf<G> =
  CompiledOf<G> extends { isInterrupted(input: unknown): input is { __interrupt__: { value?: infer Asked }[] } }
    ? Asked
    : unknown;
