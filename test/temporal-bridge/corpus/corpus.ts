import { agents } from "./agents.ts";
import { breakpoints } from "./breakpoints.ts";
import { commands } from "./commands.ts";
import type { CorpusGraph } from "./corpus-graph.ts";
import { entrypoints } from "./entrypoints.ts";
import { failures } from "./failures.ts";
import { joins } from "./joins.ts";
import { loops } from "./loops.ts";
import { memory } from "./memory.ts";
import { policies } from "./policies.ts";
import { questions } from "./questions.ts";
import { sends } from "./sends.ts";
import { signalsAndTimers } from "./signals-and-timers.ts";
import { subgraphs } from "./subgraphs.ts";
import { values } from "./values.ts";

/** Graphs of every kind that LangGraph knows, with what is done with them. */
export const corpus: readonly CorpusGraph[] = [
  ...loops,
  ...joins,
  ...sends,
  ...commands,
  ...subgraphs,
  ...questions,
  ...breakpoints,
  ...failures,
  ...policies,
  ...values,
  ...memory,
  ...entrypoints,
  ...agents,
  ...signalsAndTimers,
];
