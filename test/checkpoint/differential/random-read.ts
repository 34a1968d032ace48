import type { CheckpointListOptions } from "@langchain/langgraph-checkpoint";
import { DELTA_CHANNEL, SEED_CHANNEL } from "./channels.ts";
import type { Moment } from "./moment.ts";
import type { HistoryStep, ListStep, NewestStep, ReadStep } from "./step.ts";
import { placeOf } from "./thread-models.ts";
import type { CheckpointModel, Found } from "./thread-models.ts";

/** By values that `===` compares: of objects MemorySaver finds none. */
const FILTERS: readonly ((checkpoint: CheckpointModel | undefined) => Record<string, unknown>)[] = [
  () => ({ source: "loop" }),
  () => ({ source: "update" }),
  () => ({ user: "Zoë" }),
  () => ({ missing: "x" }),
  () => ({}),
  (checkpoint) => ({ step: checkpoint?.step ?? 0 }),
  (checkpoint) => ({ step: checkpoint?.step ?? 0, source: "loop" }),
];

const BELOW = [[""], ["ask:1"], ["ask:1|inner:2", "ü|x"], ["nowhere"], []];

/** Reads a checkpoint that was put. */
export function readOf(found: Found): ReadStep {
  return { kind: "read", ...placeOf(found), id: found.checkpoint.id };
}

/** Reads the newest checkpoint of a namespace, if it has one. */
export function readHead(moment: Moment): ReadStep {
  return { kind: "read", thread: moment.thread().id, ns: moment.namespace(), id: undefined };
}

/** Lists what there is of a thread. */
export function listOf(moment: Moment): ListStep {
  const { choices } = moment;
  const thread = moment.thread();
  const checkpoint = moment.checkpoint(() => true, thread)?.checkpoint;
  const ns = choices.chance(70) ? (checkpoint?.ns ?? "") : undefined;
  const before = choices.chance(30) ? checkpoint?.id : undefined;
  const filter = choices.pick(FILTERS);
  const options: CheckpointListOptions = {
    // Over all namespaces a limit may leave out what it likes: savers list them in different orders.
    ...(ns !== undefined && choices.chance(40) ? { limit: choices.between(0, 6) } : {}),
    ...(before === undefined ? {} : { before: { configurable: { checkpoint_id: before } } }),
    ...(choices.chance(40) ? { filter: filter(checkpoint) } : {}),
  };
  const id = choices.chance(10) ? checkpoint?.id : undefined;
  const take = ns !== undefined && choices.chance(15) ? choices.between(1, 3) : undefined;
  return { kind: "list", thread: thread.id, ns, id, options, take };
}

/** Lists all of a thread. */
export function listAllOf(thread: string): ListStep {
  return { kind: "list", thread, ns: undefined, id: undefined, options: {}, take: undefined };
}

/** Lists what is marked so, in all threads. */
export function listTagged(moment: Moment): ListStep {
  const options = { filter: { tag: moment.choices.between(0, 200) } };
  return { kind: "list", thread: undefined, ns: undefined, id: undefined, options, take: undefined };
}

/** Reads what a DeltaChannel is made of, and a list that became one. */
export function historyOf(moment: Moment, found: Found): HistoryStep {
  const channels = moment.choices.chance(60) ? [DELTA_CHANNEL] : [DELTA_CHANNEL, SEED_CHANNEL];
  return { kind: "history", ...placeOf(found), id: found.checkpoint.id, channels };
}

/** Reads the newest checkpoints of some namespaces. */
export function newestOf(moment: Moment): NewestStep {
  return { kind: "newest", thread: moment.thread().id, namespaces: moment.choices.pick(BELOW) };
}
