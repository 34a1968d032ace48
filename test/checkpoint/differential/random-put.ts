import { LIST_CHANNELS, OBJECT_CHANNELS } from "./channels.ts";
import type { Moment } from "./moment.ts";
import { randomChanges } from "./random-changes.ts";
import type { ItemMutation, PutStep } from "./step.ts";
import { checkpointKey, placeOf } from "./thread-models.ts";
import type { CheckpointModel, Found, ThreadModel } from "./thread-models.ts";

const NODES = ["work", "__start__", "__interrupt__", "unused"];

/** Nothing is changed behind the saver's back. */
export const CALM = { mutation: undefined, result: undefined, disturb: false } as const;

/** A first checkpoint; also in a namespace that has some. */
export function begin(
  moment: Moment,
  thread = moment.thread(),
  ns = moment.namespace(),
  how: Partial<PutStep> = {},
): PutStep {
  return moment.threads.put(thread, {
    kind: "put",
    thread: thread.id,
    ns,
    id: moment.newId(),
    parent: undefined,
    base: undefined,
    from: "held",
    changes: randomChanges(moment, { versions: {}, count: LIST_CHANNELS.length, huge: thread.huge }),
    metadata: { source: "input", step: -1, parents: {} },
    seenBy: undefined,
    disturb: false,
    mutation: undefined,
    result: undefined,
    guarded: false,
    pooled: true,
    ...how,
  });
}

/** A checkpoint on top of another one, as after a superstep, and takes note of it. */
export function putOnTop(moment: Moment, found: Found, how: Partial<PutStep> = {}): PutStep {
  return moment.threads.put(found.thread, onTop(moment, found, how));
}

/** A checkpoint on top of another one, which is not going to be stored. */
export function onTop(moment: Moment, found: Found, how: Partial<PutStep> = {}): PutStep {
  const { choices } = moment;
  const { thread, checkpoint } = found;
  const mutation = choices.chance(15) ? randomMutation(moment, checkpoint) : undefined;
  const { versions } = checkpoint;
  const changes = randomChanges(moment, { versions, count: choices.between(1, 4), huge: thread.huge });
  return {
    kind: "put",
    ...placeOf(found),
    id: moment.newId(),
    parent: checkpoint.id,
    base: checkpoint.id,
    from: choices.chance(mutation === undefined ? 65 : 85) ? "held" : "stored",
    changes: changes.filter(({ channel }) => channel !== mutation?.channel),
    metadata: randomMetadata(moment, checkpoint),
    seenBy: choices.chance(50) ? choices.pick(NODES) : undefined,
    disturb: choices.chance(4),
    mutation,
    result: choices.chance(50) ? randomResult(moment) : undefined,
    guarded: false,
    pooled: true,
    ...how,
  };
}

/** `updateState(…, "__copy__")`: the values of a checkpoint on top of its own parent, and no new versions. */
export function copyOf(moment: Moment, found: Found): PutStep {
  const { parent, step } = found.checkpoint;
  const metadata = { source: "fork", step: step + 1, parents: {} } as const;
  return putOnTop(moment, found, { parent, changes: [], metadata, seenBy: undefined, ...CALM });
}

/** The superstep that led to a checkpoint once more, with another result. */
export function anotherResult(moment: Moment, { thread, checkpoint }: Found): PutStep {
  const { id, ns } = checkpoint;
  const parent = parentOf(thread, checkpoint);
  if (parent === undefined) return begin(moment, thread, ns, { id });
  return putOnTop(moment, { thread, checkpoint: parent }, { id, ...CALM });
}

/** A checkpoint on top of itself: `durability: "exit"` puts it where no superstep was made. */
export function onItself(moment: Moment, found: Found): PutStep {
  const { id } = found.checkpoint;
  return putOnTop(moment, found, { id, ...(moment.choices.chance(70) ? { changes: [] } : {}), ...CALM });
}

/** See {@link PutStep.result}. */
export function randomResult(moment: Moment): NonNullable<PutStep["result"]> {
  const { choices } = moment;
  return { task: moment.newTask(), first: choices.chance(40), shape: choices.chance(70) ? "items" : "lists" };
}

function parentOf(thread: ThreadModel, { ns, parent }: CheckpointModel): CheckpointModel | undefined {
  return parent === undefined ? undefined : thread.checkpoints.get(checkpointKey(ns, parent));
}

function randomMutation(moment: Moment, { versions }: CheckpointModel): ItemMutation | undefined {
  const { choices } = moment;
  const channel = choices.pickAny(OBJECT_CHANNELS.filter((name) => name in versions));
  if (channel === undefined) return undefined;
  return {
    channel,
    version: moment.nextVersion(versions[channel]),
    seed: choices.seed(),
    task: moment.newTask(),
    wrapped: choices.pick(["not", "in a list", "deep"]),
    list: choices.pick(["same", "copy", "moved"]),
  };
}

function randomMetadata({ choices }: Moment, parent: CheckpointModel): PutStep["metadata"] {
  const source = choices.pick(["loop", "loop", "loop", "update", "input", "fork"] as const);
  return {
    source,
    step: parent.step + 1,
    parents: choices.chance(20) ? { "": parent.id } : {},
    ...(choices.chance(30) ? { tag: choices.between(0, 200) } : {}),
    ...(choices.chance(20) ? { user: "Zoë", nested: { list: [1, "two", null], flag: true } } : {}),
    ...(choices.chance(20) ? { counters_since_delta_snapshot: { delta: [1, 2] as [number, number] } } : {}),
  };
}
