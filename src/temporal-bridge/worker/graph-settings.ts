import { z } from "zod";
import { parseOptions } from "../../errors/index.ts";
import type { DrivableGraph } from "../../runner/index.ts";

/** Graphs by the names that clients start them by. */
export type GraphMap = Readonly<Record<string, DrivableGraph>>;

/** How the activities of a graph are scheduled. */
export interface GraphSettings<Node extends string = string> {
  /**
   * `node`: one activity for each task. `burst`: one activity runs many supersteps, each committed to the
   * checkpointer as ever; far cheaper, and Temporal's UI shows less. @default "node"
   */
  readonly granularity?: "node" | "burst";
  /** The bounds of a burst. */
  readonly burst?: BurstOptions;
  /** Over how many activities at most a wide superstep is split. @default 10 */
  readonly maxParallelActivities?: number;
  /** After how long without a sign of life a worker is taken for dead, in milliseconds. @default 10_000 */
  readonly heartbeatTimeoutMs?: number;
  /** How long one activity may take, in milliseconds: longer than any time limit of a node. @default 3_600_000, an hour */
  readonly startToCloseTimeoutMs?: number;
  /** What is different for single nodes; not with bursts, which are one activity for all of them. */
  readonly nodes?: Readonly<Partial<Record<Node, NodeOptions>>>;
}

/** How far a burst goes before the workflow hears of it. */
export interface BurstOptions {
  /** Supersteps at most. @default 1_000 */
  readonly maxSteps?: number;
  /** Time at most, in milliseconds; the superstep under way is finished. @default 30_000 */
  readonly maxMs?: number;
}

/** What is different for the activity of one node. */
export interface NodeOptions {
  /** Where its worker polls; it needs the same graphs and the same checkpointer. @default that of the run */
  readonly taskQueue?: string;
  /** @default as for the graph */
  readonly heartbeatTimeoutMs?: number;
  /** @default as for the graph */
  readonly startToCloseTimeoutMs?: number;
}

const TimeoutMs = z.int().min(100);
const Fields = z.strictObject({
  granularity: z.enum(["node", "burst"]).default("node"),
  burst: z
    .strictObject({ maxSteps: z.int().min(1).default(1_000), maxMs: z.number().min(1).default(30_000) })
    .prefault({}),
  maxParallelActivities: z.int().min(1).default(10),
  heartbeatTimeoutMs: TimeoutMs.default(10_000),
  startToCloseTimeoutMs: TimeoutMs.default(3_600_000),
  nodes: z
    .record(
      z.string(),
      z.strictObject({
        taskQueue: z.string().min(1).optional(),
        heartbeatTimeoutMs: TimeoutMs.optional(),
        startToCloseTimeoutMs: TimeoutMs.optional(),
      }),
    )
    .default({}),
});
const Settings = Fields.refine(({ granularity, nodes }) => granularity === "node" || Object.keys(nodes).length === 0, {
  path: ["nodes"],
  message: 'single nodes are told apart at granularity "node" only: a burst is one activity for all of them',
});

/** Settings with their defaults. */
export type ParsedSettings = z.output<typeof Settings>;

/** @throws OPTIONS_INVALID */
export function parseSettings(caller: string, settings: unknown): ParsedSettings {
  return parseOptions(caller, Settings, settings ?? {});
}
