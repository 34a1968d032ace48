export { cappedEdge } from "./capped-edge.ts";
export type { CappedEdgeOptions, CappedRoute } from "./capped-edge.ts";
export { checkGraph } from "./check-graph.ts";
export type { CheckGraphOptions, GraphFinding } from "./check-graph.ts";
export type { InspectableGraph } from "./graph-shape.ts";
