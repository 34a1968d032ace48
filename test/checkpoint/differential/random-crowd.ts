import type { Moment } from "./moment.ts";
import { randomChanges } from "./random-changes.ts";
import { CALM, begin, putOnTop } from "./random-put.ts";
import { readOf } from "./random-read.ts";
import { resultOf } from "./random-writes.ts";
import type { PutStep, Step } from "./step.ts";
import { checkpointKey } from "./thread-models.ts";
import type { Found, ThreadModel } from "./thread-models.ts";

/** Steps that run side by side, so none depends on what another one does. */
export function randomCrowd(moment: Moment): Step[] {
  const { choices, threads } = moment;
  const before = new Map(threads.inUse.map((thread) => [thread, [...thread.checkpoints.values()]]));
  const steps: Step[] = [];
  const size = choices.between(2, 8);
  while (steps.length < size) {
    const thread = moment.thread();
    const checkpoint = choices.pickAny(before.get(thread) ?? []);
    if (checkpoint === undefined) {
      steps.push(begin(moment, thread, moment.namespace(), quiet(moment, thread, {})));
      continue;
    }
    const found = { thread, checkpoint };
    const kind = choices.weighted({ put: 4, putAndWrites: 2, writes: 3, read: 2 });
    if (kind === "writes") steps.push(resultOf(moment, found, moment.newTask(), { disturb: false }));
    else if (kind === "read") steps.push(readOf(found));
    else {
      const step = putOnTop(moment, found, quiet(moment, thread, checkpoint.versions));
      steps.push(step);
      if (kind === "putAndWrites") steps.push(resultOfNew(moment, thread, step));
    }
  }
  return withoutOpenReads(steps);
}

/** Nothing changes what others hold, and nobody else gets to hold it. */
function quiet(moment: Moment, thread: ThreadModel, versions: Readonly<Record<string, number>>): Partial<PutStep> {
  const changes = randomChanges(moment, { versions, count: 3, huge: thread.huge, pure: true });
  return { ...CALM, pooled: false, changes };
}

/** A result that comes while its checkpoint is on its way, so it cannot have been given anything. */
function resultOfNew(moment: Moment, thread: ThreadModel, { ns, id }: PutStep): Step {
  const found: Found = { thread, checkpoint: thread.checkpoints.get(checkpointKey(ns, id))! };
  const step = resultOf(moment, found, moment.newTask(), { disturb: false });
  const writes = step.writes.map((write) => (write.what === "given" ? { ...write, what: "items" as const } : write));
  return { ...step, writes };
}

/** What a read finds while its checkpoint gets writes is open. */
function withoutOpenReads(steps: readonly Step[]): Step[] {
  const key = (step: Step): string =>
    step.kind === "read" || step.kind === "writes" ? JSON.stringify([step.thread, step.ns, step.id]) : "";
  const written = new Set(steps.filter(({ kind }) => kind === "writes").map(key));
  return steps.filter((step) => step.kind !== "read" || !written.has(key(step)));
}
