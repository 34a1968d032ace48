export { cappedEdge } from "./capped-edge.ts";
export type { CappedEdgeOptions, CappedRoute } from "./capped-edge.ts";
export { checkGraph } from "./check-graph.ts";
export type { CheckGraphOptions, GraphFinding } from "./check-graph.ts";
export type { InspectableGraph } from "./graph-shape.ts";
export { reactGraph } from "./react-graph.ts";
export type { ReactChannels, ReactDefinition, ReactGraphOptions, ReactNodes } from "./react-graph.ts";
export type { ToolApproval } from "./react-act.ts";
