import type { ErrorCode } from "../../errors/index.ts";

/** The workflow type that drives a graph. */
export const RUN_GRAPH = "runGraph";

/** Activity types, as they stand in Temporal's UI. */
export const ACTIVITY = {
  start: "graphStart",
  tasks: "graphTasks",
  answers: "graphAnswers",
  close: "graphClose",
} as const;

/** Names by which a client reaches a run. */
export const HANDLER = {
  resume: "resume",
  release: "release",
  signal: "signal",
  state: "state",
} as const;

/** Search attributes of runs, of type Keyword, where the server has them. */
export const SEARCH_ATTRIBUTE = {
  graph: { name: "PerdureGraph", type: "KEYWORD" },
  status: { name: "PerdureStatus", type: "KEYWORD" },
} as const;

/** The code of the failure that a thread shows whose next node is none of its graph's. */
export const GRAPH_CHANGED = "GRAPH_CHANGED" satisfies ErrorCode;

/** The type of the failure that a run ends with when a node failed; its details are the report that says so. */
export const NODE_FAILED = "NODE_FAILED";
