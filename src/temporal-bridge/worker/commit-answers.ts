import type { AnswersRequest, SignalArgs } from "../shared/protocol.ts";
import { GONE } from "../shared/wire-codec.ts";
import type { ActivityScope } from "./activity-scope.ts";
import type { HostedGraph, HostedState } from "./hosted-graph.ts";

/** Commits answers, signals and what is due; runs nothing. */
export async function commitAnswers(
  graph: HostedGraph,
  scope: ActivityScope,
  { answers = {}, due, signals = [] }: AnswersRequest,
): Promise<HostedState> {
  const { runner, codec } = graph;
  const { threadId, owner, signal } = scope;
  const options = { owner, drive: false, signal };
  await commitSignals(graph, scope, signals);
  const decoded = await decodeAll(graph, answers);
  if (decoded.size > 0) await runner.resume(threadId, Object.fromEntries(decoded), options);
  if (due !== undefined) await runner.continue(threadId, { ...options, due });
  await codec.drop([...Object.values(answers), ...signals.map(({ payload }) => payload)]);
  return runner.inspect(threadId);
}

async function commitSignals(
  { runner, codec, checkpointer }: HostedGraph,
  { threadId, owner, signal }: ActivityScope,
  signals: readonly SignalArgs[],
): Promise<void> {
  // a thread that is done has no owner any more, and keeps signals for its next turn
  const isOwned = signals.length > 0 && (await checkpointer.readRecord(threadId))?.owner !== undefined;
  for (const { id, name, payload: wire } of signals) {
    const payload = await codec.decode(wire);
    if (payload === GONE) continue;
    await runner.signal(threadId, { id, name, payload }, { drive: false, signal, ...(isOwned ? { owner } : {}) });
  }
}

/** Without what an attempt before has committed. */
async function decodeAll(
  { codec }: HostedGraph,
  answers: Readonly<Record<string, unknown>>,
): Promise<Map<string, unknown>> {
  const decoded = new Map<string, unknown>();
  for (const [id, wire] of Object.entries(answers)) {
    const answer = await codec.decode(wire);
    if (answer !== GONE) decoded.set(id, answer);
  }
  return decoded;
}
