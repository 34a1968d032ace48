export { cappedEdge } from "./capped-edge.ts";
export type { CappedEdgeOptions, CappedRoute } from "./capped-edge.ts";
