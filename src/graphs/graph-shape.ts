import { END, START } from "@langchain/langgraph";

import { PerdureError } from "../errors/index.ts";
import { type NodeTraits, readNodeTraits } from "../nodes/index.ts";
import { type EdgeGuard, edgeGuard } from "./edge-guard.ts";

/** What is looked at of a graph's builder; every LangGraph `StateGraph` fits. */
export interface InspectableBuilder {
  readonly nodes: Readonly<Record<string, InspectableNode>>;
  readonly edges: Iterable<readonly [string, string]>;
  readonly waitingEdges?: Iterable<readonly [readonly string[], string]>;
  readonly branches: Readonly<Record<string, Readonly<Record<string, InspectableBranch>>>>;
}

interface InspectableNode {
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly ends?: readonly string[] | undefined;
  readonly subgraphs?: readonly object[] | undefined;
  readonly isErrorHandler?: boolean | undefined;
  readonly errorHandlerNode?: string | undefined;
}

interface InspectableBranch {
  readonly ends?: Readonly<Record<string, string>> | undefined;
  readonly path: unknown;
}

/** A builder or a compiled graph. */
export type InspectableGraph = InspectableBuilder | { readonly builder: InspectableBuilder };

/** One way from a node to another. */
export interface ShapeEdge {
  readonly from: string;
  readonly to: string;
  /** `choice`: taken or not, by a condition or a `Command`; `join`: taken once all of its starts are done; `error`: when `from` fails. */
  readonly kind: "always" | "choice" | "join" | "error";
  /** What the condition calls this way, where that is not the node's name. */
  readonly label?: string | undefined;
  readonly guard?: EdgeGuard | undefined;
  /** Not declared: a condition without a path map may lead anywhere. */
  readonly assumed?: true;
}

/** A node as the checker and the drawing see it. */
export interface ShapeNode {
  readonly name: string;
  readonly traits: NodeTraits;
  readonly subgraph?: GraphShape | undefined;
}

/** The nodes and edges of a graph, in the order they were added. */
export interface GraphShape {
  readonly nodes: readonly ShapeNode[];
  readonly edges: readonly ShapeEdge[];
  readonly joins: readonly { readonly from: readonly string[]; readonly to: string }[];
}

/**
 * Reads a graph's shape. A way out of a condition that declares no paths is assumed to each node and to the end.
 * Nodes that nothing leads on from have an edge to the end.
 *
 * @throws {PerdureError} `GRAPH_UNSUPPORTED` for what is neither a `StateGraph` nor compiled from one.
 */
export function graphShape(graph: InspectableGraph): GraphShape {
  const builder = builderOf(graph);
  const names = Object.keys(builder.nodes);
  const edges: ShapeEdge[] = [];
  const assumeAnywhere = (from: string) => {
    for (const to of [...names, END]) edges.push({ from, to, kind: "choice", assumed: true });
  };

  for (const [from, to] of builder.edges) edges.push({ from, to, kind: "always" });
  const joins = [...(builder.waitingEdges ?? [])].map(([from, to]) => ({ from, to }));
  for (const { from, to } of joins) for (const start of from) edges.push({ from: start, to, kind: "join" });

  for (const [from, branches] of Object.entries(builder.branches)) {
    for (const { ends, path } of Object.values(branches)) {
      if (ends === undefined) assumeAnywhere(from);
      const guard = edgeGuard(path);
      for (const [label, to] of Object.entries(ends ?? {})) {
        edges.push({
          from,
          to,
          kind: "choice",
          label: label === to ? undefined : label,
          guard: guard?.to === to ? guard : undefined,
        });
      }
    }
  }
  for (const [name, node] of Object.entries(builder.nodes)) {
    for (const to of node.ends ?? []) edges.push({ from: name, to, kind: "choice" });
    if (node.errorHandlerNode !== undefined) edges.push({ from: name, to: node.errorHandlerNode, kind: "error" });
    if (node.isErrorHandler === true) assumeAnywhere(name);
    if (!edges.some(({ from, kind }) => from === name && kind !== "error"))
      edges.push({ from: name, to: END, kind: "always" });
  }

  const nodes = Object.entries(builder.nodes).map(([name, node]): ShapeNode => {
    const subgraph = node.subgraphs?.find((candidate) => isInspectable(candidate));
    return { name, traits: readNodeTraits(node.metadata), subgraph: subgraph && graphShape(subgraph) };
  });
  return { nodes, edges, joins };
}

/** Where a run of the graph begins and ends. */
export const ENTRY = START;
export const EXIT = END;

function builderOf(graph: InspectableGraph): InspectableBuilder {
  if (!isInspectable(graph)) {
    throw new PerdureError("GRAPH_UNSUPPORTED", "This is neither a StateGraph nor compiled from one.", {
      hint: "Pass what `new StateGraph(…)` or its compile() returned; of a createAgent, its `.graph`.",
    });
  }
  return "builder" in graph ? graph.builder : graph;
}

function isInspectable(value: unknown): value is InspectableGraph {
  if (typeof value !== "object" || value === null) return false;
  const builder: unknown = "builder" in value ? value.builder : value;
  return (
    typeof builder === "object" && builder !== null && "nodes" in builder && "edges" in builder && "branches" in builder
  );
}
