import { PerdureError } from "../errors/index.ts";
import { elementaryCycles, type Link, shortestPath } from "./cycles.ts";
import {
  ENTRY,
  EXIT,
  type GraphShape,
  graphShape,
  type InspectableGraph,
  type ShapeEdge,
  type ShapeNode,
} from "./graph-shape.ts";

/** One thing {@link checkGraph} found. Nodes of a subgraph are named `outer:inner`. */
export type GraphFinding =
  | {
      /** Nothing leads to this node. */
      readonly kind: "unreachable-node";
      readonly node: string;
      readonly message: string;
    }
  | {
      /** A way back with nothing that stops it. */
      readonly kind: "uncapped-cycle";
      /** The nodes of the cycle; the last leads back to the first. */
      readonly nodes: readonly string[];
      /** The node whose undeclared condition was assumed to lead back; absent if each way is declared. */
      readonly assumed?: string;
      readonly message: string;
    }
  | {
      /** An irreversible node that can be reached without an approval and has no compensation. */
      readonly kind: "unguarded-effect";
      readonly node: string;
      /** A way there without an approval, from the first node to this one. */
      readonly path: readonly string[];
      readonly message: string;
    };

/** How {@link checkGraph} reports. */
export interface CheckGraphOptions {
  /** Throw if anything is found. @default false */
  readonly strict?: boolean;
}

/** More cycles than this are not listed one by one. */
const MAX_CYCLES = 100;

/**
 * Looks for what makes a graph unsafe and returns what it found, in the order of the graph's nodes:
 *
 * - each node that nothing leads to;
 * - each cycle (up to 100) without a cap: no {@link cappedEdge}, no node with a `cap` and no person who is asked each time;
 * - each irreversible node with neither an approval on every path to it, nor one of its own, nor a compensation. An
 *   approval that a plain edge leads on from, after a no too, is none for what comes after it.
 *
 * It reads what is declared: a cap inside a condition function can't be seen. A condition without a path map is
 * assumed to lead anywhere, and the finding says so; a `Command` leads where the node's `ends` say.
 * Compiled subgraphs are looked into.
 *
 * @throws {PerdureError} `GRAPH_UNSAFE` with `strict`, listing all findings; `GRAPH_UNSUPPORTED` for what is no StateGraph.
 */
export function checkGraph(graph: InspectableGraph, options: CheckGraphOptions = {}): GraphFinding[] {
  const findings = findingsOf(graphShape(graph), "", false);
  if (options.strict === true && findings.length > 0) throw unsafe(findings);
  return findings;
}

/** The check our own builders make: it leaves out nodes their caller has yet to add. */
export function refuseUnsafe(graph: InspectableGraph): void {
  const findings = checkGraph(graph);
  if (findings.length > 0) throw unsafe(findings);
}

function findingsOf(shape: GraphShape, prefix: string, approvedBefore: boolean): GraphFinding[] {
  const reached = reach(shape.edges, shape);
  const unapproved = approvedBefore ? new Map<string, string>() : reachUnapproved(shape);
  const findings: GraphFinding[] = [];
  for (const node of shape.nodes) {
    const name = prefix + node.name;
    if (!reached.has(node.name)) {
      findings.push({ kind: "unreachable-node", node: name, message: `Nothing leads to the node "${name}".` });
    }
    const compensated =
      node.traits.compensate !== undefined && shape.nodes.some(({ name }) => name === node.traits.compensate);
    if (node.traits.effect === "irreversible" && !compensated && !asks(node) && unapproved.has(node.name)) {
      findings.push(
        unguardedEffect(
          name,
          wayTo(node.name, unapproved).map((step) => prefix + step),
        ),
      );
    }
    if (node.subgraph !== undefined) {
      findings.push(...findingsOf(node.subgraph, `${name}:`, asks(node) || !unapproved.has(node.name)));
    }
  }
  return [...findings, ...uncappedCycles(shape, prefix)];
}

function unguardedEffect(node: string, path: string[]): GraphFinding {
  const message = `The irreversible node "${node}" can be reached without an approval (${path.join(" -> ")}) and has no compensation.`;
  return { kind: "unguarded-effect", node, path, message };
}

function uncappedCycles(shape: GraphShape, prefix: string): GraphFinding[] {
  const capped = new Set(shape.nodes.filter(({ traits }) => traits.cap !== undefined).map(({ name }) => name));
  const open = shape.edges.filter(({ from, to, guard }) => guard === undefined && !capped.has(from) && !capped.has(to));
  const declared = open.filter(({ assumed }) => assumed === undefined);

  const cycles = elementaryCycles(links(declared), MAX_CYCLES);
  const findings = cycles.map((nodes) => uncappedCycle(nodes.map((name) => prefix + name)));
  for (const { name } of shape.nodes) {
    const guesses = open.filter(({ from, to, assumed }) => from === name && assumed !== undefined && to !== EXIT);
    // Any of the guesses may be the way back; the shortest that is more than the node itself says most.
    const ways = guesses.map(({ to }) => shortestPath(links(open), to, name)).filter((way) => way !== undefined);
    const [way] = ways.toSorted((a, b) => Number(a.length === 1) - Number(b.length === 1) || a.length - b.length);
    if (way === undefined) continue;
    findings.push(
      uncappedCycle(
        [name, ...way.slice(0, -1)].map((step) => prefix + step),
        prefix + name,
      ),
    );
  }
  return findings;
}

function uncappedCycle(nodes: readonly string[], assumed?: string): GraphFinding {
  const way = [...nodes, nodes[0]].join(" -> ");
  if (assumed === undefined) return { kind: "uncapped-cycle", nodes, message: `The cycle ${way} has no cap.` };
  const message = `A condition of "${assumed}" declares no paths, so it may lead anywhere: the cycle ${way} has no cap.`;
  return { kind: "uncapped-cycle", nodes, assumed, message };
}

/** Each node that can run, with the one before it on the way there, if only these edges are followed. */
function reach(edges: readonly ShapeEdge[], { joins }: GraphShape): Map<string, string> {
  const before = new Map<string, string>();
  const leads = (from: string, to: string) =>
    (from === ENTRY || before.has(from)) && edges.some((edge) => edge.from === from && edge.to === to);
  const ready = (edge: ShapeEdge): boolean => {
    if (edge.kind !== "join") return leads(edge.from, edge.to);
    return joins.some(
      ({ from, to }) => to === edge.to && from.includes(edge.from) && from.every((one) => leads(one, to)),
    );
  };
  for (let grown = true; grown;) {
    grown = false;
    for (const edge of edges) {
      if (before.has(edge.to) || !ready(edge)) continue;
      before.set(edge.to, edge.from);
      grown = true;
    }
  }
  return before;
}

/** Each node that can run without a yes of a person. A condition after an approval is taken to look at what was said. */
function reachUnapproved(shape: GraphShape): Map<string, string> {
  const asking = new Map(shape.nodes.filter((node) => asks(node)).map((node) => [node.name, node]));
  const leadsOn = ({ from, kind }: ShapeEdge): boolean => {
    const node = asking.get(from);
    return node === undefined || (node.traits.goesOnAfterNo === true && kind !== "choice");
  };
  return reach(shape.edges.filter(leadsOn), shape);
}

function wayTo(node: string, before: ReadonlyMap<string, string>): string[] {
  const way = [node];
  for (let at = before.get(node); at !== undefined && at !== ENTRY; at = before.get(at)) way.unshift(at);
  return way;
}

function asks(node: ShapeNode): boolean {
  if (node.traits.approval === true) return true;
  // Who can't leave a subgraph without an approval is as good as one.
  return node.subgraph !== undefined && !reachUnapproved(node.subgraph).has(EXIT);
}

function links(edges: readonly ShapeEdge[]): Link[] {
  return edges.filter(({ to }) => to !== EXIT).map(({ from, to }) => [from, to]);
}

function unsafe(findings: readonly GraphFinding[]): PerdureError {
  const list = findings.map(({ message }) => `\n- ${message}`).join("");
  return new PerdureError("GRAPH_UNSAFE", `The graph is not safe to run:${list}\n`, {
    hint: "Cap cycles with cappedEdge, put an approval before what can't be taken back or name its compensation, and connect each node.",
  });
}
