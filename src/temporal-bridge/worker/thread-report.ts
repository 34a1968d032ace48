import { keepValue } from "../../checkpoint/index.ts";
import type { OpenInterrupt, TaskFailure } from "../../runner/index.ts";
import type { NodeSettings, Report, RunResult, ThreadReport, WireFailure, WireInterrupt } from "../shared/protocol.ts";
import { sizeOf, toJson } from "../shared/wire-codec.ts";
import { failureText } from "./failure-text.ts";
import type { ParsedSettings } from "./graph-settings.ts";
import type { HostedGraph, HostedState } from "./hosted-graph.ts";

/** Temporal warns of payloads beyond it. */
const LARGEST_RESULT_BYTES = 256 * 1024;
/** What questions take in a report: it stands in the history, and the query `state` answers with it. */
const LARGEST_QUESTION_BYTES = 32 * 1024;
const LARGEST_QUESTIONS_BYTES = 256 * 1024;
/** The same in the report of a batch, of which there are many. */
const LARGEST_BESIDE_BYTES = 32 * 1024;

/** So many failed tasks are told of. */
const MOST_FAILURES = 20;

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
    interrupts: await wireInterrupts(state.interrupts, LARGEST_QUESTIONS_BYTES),
    ...(nodes === undefined ? {} : { nodes }),
    ...(state.status === "error" ? { failures: state.failures.slice(0, MOST_FAILURES).map(shortened) } : {}),
    ...(state.status === "cancelled" ? { reason: state.reason } : {}),
    ...(status === "done" ? { result: await runResult(graph, state) } : {}),
  };
}

/** What a batch tells while siblings of it run elsewhere: only what is new. */
export async function batchReport({ checkpointId, interrupts }: HostedState): Promise<Report> {
  if (interrupts.length === 0) return { kind: "same", checkpointId };
  return { kind: "asked", checkpointId, interrupts: await wireInterrupts(interrupts, LARGEST_BESIDE_BYTES) };
}

function shortened(failure: TaskFailure): WireFailure {
  return { ...failure, message: failureText(failure.message) };
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

/** Questions with what was asked, as far as there is room; the client reads the others from the checkpointer. */
async function wireInterrupts(interrupts: readonly OpenInterrupt[], mostBytes: number): Promise<WireInterrupt[]> {
  let left = mostBytes;
  const wires: WireInterrupt[] = [];
  for (const { value, schema, ...interrupt } of interrupts) {
    const asked = { value: await toJson(value), ...(schema === undefined ? {} : { schema }) };
    const bytes = sizeOf(asked);
    const fits = bytes <= Math.min(LARGEST_QUESTION_BYTES, left);
    if (fits) left -= bytes;
    wires.push(fits ? { ...interrupt, ...asked } : interrupt);
  }
  return wires;
}

function nodeSettings(names: readonly string[], { nodes }: ParsedSettings): Record<string, NodeSettings> | undefined {
  const own = names.flatMap((name) => {
    const settings = nodes[name];
    return settings === undefined ? [] : [[name, settings as NodeSettings] as const];
  });
  return own.length === 0 ? undefined : Object.fromEntries(own);
}
