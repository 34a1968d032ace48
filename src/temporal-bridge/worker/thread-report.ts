import type { OpenInterrupt, ThreadState } from "../../runner/index.ts";
import type { NodeSettings, RunResult, ThreadReport, WireInterrupt } from "../shared/protocol.ts";
import { toWire } from "../shared/wire-value.ts";
import type { ParsedSettings } from "./graph-settings.ts";

/** Temporal warns of payloads beyond it. */
const LARGEST_RESULT_BYTES = 256 * 1024;
/** A question is shown in the history, and in each answer to the query `state`. */
const LARGEST_QUESTION_BYTES = 32 * 1024;

/** Where a thread stands, as the history takes it: without its values, but for the final ones. */
export async function threadReport(state: ThreadState, settings: ParsedSettings): Promise<ThreadReport> {
  const { status, checkpointId, step, next } = state;
  const tasks: Record<string, string[]> = {};
  for (const { id, node } of state.tasks) (tasks[node] ??= []).push(id);
  const nodes = nodeSettings(Object.keys(tasks), settings);
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
    ...(status === "done" ? { result: await runResult(state) } : {}),
  };
}

async function runResult({ values, checkpointId }: ThreadState): Promise<RunResult> {
  const wire = await toWire(values);
  if (byteLength(wire) <= LARGEST_RESULT_BYTES) return { values: wire };
  const isObject = typeof values === "object" && values !== null && !Array.isArray(values);
  return { stored: { checkpointId, channels: isObject ? Object.keys(values) : "" } };
}

async function wireInterrupt({ value, ...interrupt }: OpenInterrupt): Promise<WireInterrupt> {
  const wire = await toWire(value);
  return byteLength(wire) <= LARGEST_QUESTION_BYTES ? { ...interrupt, value: wire } : interrupt;
}

function nodeSettings(names: readonly string[], { nodes }: ParsedSettings): Record<string, NodeSettings> | undefined {
  const own = names.flatMap((name) => {
    const settings = nodes[name];
    return settings === undefined ? [] : [[name, settings as NodeSettings] as const];
  });
  return own.length === 0 ? undefined : Object.fromEntries(own);
}

function byteLength(wire: unknown): number {
  return Buffer.byteLength(JSON.stringify(wire) ?? "");
}
