import { keepValue } from "../../checkpoint/index.ts";
import type { OpenInterrupt } from "../../runner/index.ts";
import type { NodeSettings, RunResult, ThreadReport, WireInterrupt } from "../shared/protocol.ts";
import { sizeOf, toJson } from "../shared/wire-codec.ts";
import type { ParsedSettings } from "./graph-settings.ts";
import type { HostedGraph, HostedState } from "./hosted-graph.ts";

/** Temporal warns of payloads beyond it. */
const LARGEST_RESULT_BYTES = 256 * 1024;
/** A question is shown in the history, and in each answer to the query `state`. */
const LARGEST_QUESTION_BYTES = 32 * 1024;

/** Where a thread stands, as the history takes it: without its values, but for the final ones. */
export async function threadReport(graph: HostedGraph, state: HostedState): Promise<ThreadReport> {
  const { status, checkpointId, step, next } = state;
  const tasks: Record<string, string[]> = {};
  for (const { id, node } of state.tasks) (tasks[node] ??= []).push(id);
  const nodes = nodeSettings(Object.keys(tasks), graph.settings);
  return {
    status,
    checkpointId,
    step,
    ...(next.length === state.tasks.length ? {} : { next }),
    tasks,
    interrupts: await Promise.all(state.interrupts.map(wireInterrupt)),
    ...(nodes === undefined ? {} : { nodes }),
    ...(state.status === "error" ? { failures: state.failures } : {}),
    ...(state.status === "cancelled" ? { reason: state.reason } : {}),
    ...(status === "done" ? { result: await runResult(graph, state) } : {}),
  };
}

/** The final values, or where they are. */
async function runResult(
  { checkpointer }: HostedGraph,
  { values, checkpointId, threadId }: HostedState,
): Promise<RunResult> {
  const wire = await toJson(values);
  if (sizeOf(wire) <= LARGEST_RESULT_BYTES) return { values: wire };
  const configurable = { thread_id: threadId, checkpoint_ns: "", checkpoint_id: checkpointId };
  const stored = (await checkpointer.getTuple({ configurable }))?.checkpoint.channel_values ?? {};
  const channels = Object.keys(values);
  if (!Array.isArray(values) && channels.every((name) => name in stored)) return { stored: { checkpointId, channels } };
  // what a functional entrypoint returns is no channel, and a DeltaChannel's value is not in every checkpoint
  return { values: { __perdure_kept: await keepValue(checkpointer, values) } };
}

async function wireInterrupt({ value, ...interrupt }: OpenInterrupt): Promise<WireInterrupt> {
  const wire = await toJson(value);
  return sizeOf(wire) <= LARGEST_QUESTION_BYTES ? { ...interrupt, value: wire } : interrupt;
}

function nodeSettings(names: readonly string[], { nodes }: ParsedSettings): Record<string, NodeSettings> | undefined {
  const own = names.flatMap((name) => {
    const settings = nodes[name];
    return settings === undefined ? [] : [[name, settings as NodeSettings] as const];
  });
  return own.length === 0 ? undefined : Object.fromEntries(own);
}
