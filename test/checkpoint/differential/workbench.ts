import { BaseMessage } from "@langchain/core/messages";
import { DeltaSnapshot, copyCheckpoint, emptyCheckpoint } from "@langchain/langgraph-checkpoint";
import type {
  BaseCheckpointSaver,
  ChannelVersions,
  Checkpoint,
  CheckpointTuple,
  PendingWrite,
} from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { COMMIT_KEY, Checkpointer } from "perdure/checkpoint";
import { CHANNEL_FLAVOURS } from "./channels.ts";
import { Choices } from "./choices.ts";
import { comparable, inOneOrder, place } from "./comparable.ts";
import { changesInPlace, editList } from "./list-edit.ts";
import { hugeText, randomItem, randomText, randomValue } from "./random-value.ts";
import { spoil } from "./spoil.ts";
import type { ChannelChange, HistoryStep, ListStep, NewestStep, Place, PutStep, Step, WritesStep } from "./step.ts";

/** The answer to a commit that was refused. */
const REFUSED = "refused";

const MOST_HELD = 40;
const MOST_POOLED = 12;

/** What a step was answered: comparable values, and nothing else. */
export type Answer = unknown;

/**
 * Does steps with one saver, as the graphs of one process do: it holds the checkpoints it put last, with their
 * very objects, and goes on with them. What it holds follows from the steps alone, so the workbench of the
 * reference always holds the same.
 */
export class Workbench {
  readonly #saver: BaseCheckpointSaver;
  readonly #held = new Map<string, Checkpoint>();
  /** Lists that were put, to be put again elsewhere. */
  #pool: unknown[][] = [];
  #lastRead: unknown[] = [];

  constructor(saver: BaseCheckpointSaver) {
    this.#saver = saver;
  }

  /** Does one step; {@link REFUSED} when the guard of a commit did not find what it must find. */
  async run(step: Step): Promise<Answer> {
    try {
      return await this.#run(step);
    } catch (error) {
      if ((error as { code?: unknown }).code === "CHECKPOINT_CONFLICT") return REFUSED;
      throw error;
    }
  }

  async #run(step: Step): Promise<Answer> {
    switch (step.kind) {
      case "put":
        return this.#put(step);
      case "writes":
        return this.#putWrites(step);
      case "read":
        return this.#read(await this.#saver.getTuple(configOf(step, step.id)));
      case "list":
        return this.#list(step);
      case "history":
        return this.#history(step);
      case "newest":
        return this.#newest(step);
      case "delete":
        return this.#saver.deleteThread(step.thread);
    }
  }

  /** Forgets what it holds: all, of a thread, or one checkpoint. */
  forget(what: { readonly thread?: string; readonly id?: string } = {}): void {
    if (what.thread === undefined) {
      this.#held.clear();
      this.#pool = [];
    }
    for (const key of [...this.#held.keys()]) {
      const [thread, , id] = JSON.parse(key) as string[];
      if (thread === what.thread && (what.id === undefined || what.id === id)) this.#held.delete(key);
    }
  }

  /** Ruins what was read last: nobody else may notice. */
  spoil(): void {
    spoil(this.#lastRead);
    this.#lastRead = [];
  }

  async #put(step: PutStep): Promise<Answer> {
    const base = await this.#base(step);
    const next = nextCheckpoint(base, step);
    const { channel_values: values } = next;
    const newVersions: ChannelVersions = {};
    const result: PendingWrite[] = [];
    /** What was changed in place: whoever else holds it holds something else now. */
    const touched = new Set<unknown>();
    for (const change of step.changes) {
      const { channel, how, version } = change;
      const before = Array.isArray(values[channel]) ? values[channel].length : 0;
      newVersions[channel] = next.channel_versions[channel] = version;
      if (how === "absent") delete values[channel];
      else values[channel] = this.#changed(values, change, touched);
      const value = values[channel];
      const isWhole = step.result?.shape === "lists" || !Array.isArray(value);
      if (how !== "absent") result.push([channel, isWhole ? value : value.slice(before)]);
    }
    const mutated = step.mutation === undefined ? undefined : mutateItem(values, step.mutation);
    const writes: [PendingWrite[], string][] = [];
    if (step.mutation !== undefined && mutated !== undefined) {
      const { channel, version, task, wrapped } = step.mutation;
      touched.add(mutated);
      newVersions[channel] = next.channel_versions[channel] = version;
      const returned = { not: mutated, "in a list": [mutated], deep: { replaced: { items: [mutated] } } }[wrapped];
      writes.push([[[channel, returned]], task]);
    }
    if (step.result !== undefined && result.length > 0) writes.push([result, step.result.task]);

    const onParent = configOf(step, step.parent, step.guarded ? { onHead: false, epoch: 0 } : undefined);
    const calls: Promise<unknown>[] = writes.map(([pairs, task]) => this.#saver.putWrites(onParent, pairs, task));
    if (step.result?.first === true || step.resultOnly) await Promise.all(calls);
    if (step.resultOnly) return REFUSED;
    const config = configOf(step, step.parent, step.guarded ? { onHead: true, epoch: 0 } : undefined);
    calls.push(this.#saver.put(config, copyCheckpoint(next), step.metadata, newVersions));
    if (step.disturb) {
      for (const value of step.changes.map(({ channel }) => values[channel]).filter(Array.isArray)) {
        touched.add(value);
        value.push("too late");
      }
    }
    // All of it: what is still under way when one is refused would meet the next step.
    await Promise.allSettled(calls);
    const stored = place((await Promise.all(calls)).at(-1) as RunnableConfig);
    this.#forgetHolding(touched);
    if (!step.disturb) this.#hold(step, next);
    return { stored, base: base?.id };
  }

  async #base(step: PutStep): Promise<Checkpoint | undefined> {
    if (step.base === undefined) return undefined;
    const held = this.#held.get(heldKey(step, step.base));
    if (step.from === "held" && held !== undefined) return held;
    const tuple = await this.#saver.getTuple(configOf(step, step.from === "head" ? undefined : step.base));
    if (tuple === undefined) throw new Error(`Checkpoint ${step.base} of ${step.thread} was not found.`);
    return tuple.checkpoint;
  }

  #changed(values: Record<string, unknown>, change: ChannelChange, touched: Set<unknown>): unknown {
    const { channel, how, flavour, seed } = change;
    const choices = new Choices(seed);
    if (how === "value") return randomValue(choices);
    if (how === "huge") return [hugeText(choices), randomItem(choices, flavour)];
    if (how === "snapshot") return new DeltaSnapshot(editList([], { name: "renew", flavour, seed }));
    if (how === "pool") return choices.pickAny(this.#pool) ?? [];
    if (how === "otherChannel") {
      const others = Object.keys(values).toSorted();
      return choices.pickAny(others.map((name) => values[name]).filter(Array.isArray)) ?? [];
    }
    if (how === "absent") return undefined;
    const list = values[channel];
    if (!Array.isArray(list)) return editList([], { name: how, flavour, seed });
    // A change in place must not reach a channel that is not said to have changed.
    const shared = Object.entries(values).some(([name, value]) => name !== channel && value === list);
    if (shared && changesInPlace(how)) return editList([...list], { name: how, flavour, seed });
    if (changesInPlace(how)) touched.add(list);
    return editList(list, { name: how, flavour, seed });
  }

  async #putWrites(step: WritesStep): Promise<Answer> {
    const before = step.writes.some(({ what }) => what === "given") ? await this.#given(step) : {};
    const writes = step.writes.map((write): PendingWrite => [write.channel, written(write, before[write.channel])]);
    const config = configOf(step, step.id, step.guarded ? { onHead: false, epoch: 0 } : undefined);
    const storing = this.#saver.putWrites(config, writes, step.task);
    if (step.disturb) {
      for (const [, value] of writes) if (Array.isArray(value)) value.push("too late");
      writes.length = 0;
    }
    return storing;
  }

  async #given(step: WritesStep): Promise<Record<string, unknown>> {
    const held = this.#held.get(heldKey(step, step.id));
    return (held ?? (await this.#saver.getTuple(configOf(step, step.id)))?.checkpoint)?.channel_values ?? {};
  }

  async #list({ thread, ns, id, options, take }: ListStep): Promise<Answer> {
    const found: CheckpointTuple[] = [];
    const configurable = { thread_id: thread, checkpoint_ns: ns, checkpoint_id: id };
    const given = Object.entries(configurable).filter(([, value]) => value !== undefined);
    if (take !== 0) {
      for await (const tuple of this.#saver.list({ configurable: Object.fromEntries(given) }, options)) {
        found.push(tuple);
        if (found.length === take) break;
      }
    }
    this.#lastRead = found;
    const tuples = found.map(comparable);
    return thread === undefined || ns === undefined ? inOneOrder(tuples) : tuples;
  }

  async #history(step: HistoryStep): Promise<Answer> {
    const channels = [...step.channels];
    const histories = await this.#saver.getDeltaChannelHistory({ config: configOf(step, step.id), channels });
    this.#lastRead = [histories];
    return histories;
  }

  async #newest({ thread, namespaces }: NewestStep): Promise<Answer> {
    if (this.#saver instanceof Checkpointer) {
      const tuples = await this.#saver.newestBelow(thread, namespaces);
      this.#lastRead = tuples;
      return inOneOrder(tuples.map(comparable));
    }
    const newest = new Map<string, CheckpointTuple>();
    for await (const tuple of this.#saver.list({ configurable: { thread_id: thread } })) {
      const ns = tuple.config.configurable?.["checkpoint_ns"] as string;
      const wanted = namespaces.some((above) => above === "" || ns === above || ns.startsWith(`${above}|`));
      if (wanted && !newest.has(ns)) newest.set(ns, tuple);
    }
    return inOneOrder([...newest.values()].map(comparable));
  }

  #read(tuple: CheckpointTuple | undefined): Answer {
    this.#lastRead = tuple === undefined ? [] : [tuple];
    return tuple && comparable(tuple);
  }

  #hold(step: PutStep, checkpoint: Checkpoint): void {
    this.#held.set(heldKey(step, step.id), checkpoint);
    if (this.#held.size > MOST_HELD) this.#held.delete(this.#held.keys().next().value as string);
    if (!step.pooled) return;
    for (const { channel } of step.changes) {
      const value = checkpoint.channel_values[channel];
      if (Array.isArray(value)) this.#pool.push(value);
    }
    this.#pool.splice(0, this.#pool.length - MOST_POOLED);
  }

  #forgetHolding(touched: ReadonlySet<unknown>): void {
    const holds = (list: unknown): boolean =>
      touched.has(list) || (Array.isArray(list) && list.some((item) => touched.has(item)));
    if (touched.size === 0) return;
    for (const [key, { channel_values: values }] of [...this.#held]) {
      if (Object.values(values).some(holds)) this.#held.delete(key);
    }
    this.#pool = this.#pool.filter((list) => !holds(list));
  }
}

/** What a node returns for a channel. */
function written({ channel, what, seed }: WritesStep["writes"][number], given: unknown): unknown {
  const choices = new Choices(seed);
  const flavour = CHANNEL_FLAVOURS[channel] ?? "mixed";
  switch (what) {
    case "value":
      return randomValue(choices);
    case "item": {
      const item = randomItem(choices, flavour);
      // A Buffer on its own is bytes to some serializers and an object to others; inside a list it is an object.
      return Buffer.isBuffer(item) ? [item] : item;
    }
    case "items":
      return editList([], { name: "renew", flavour, seed });
    case "given":
      return Array.isArray(given) ? given.slice(-2) : given;
    case "send":
      return { lg_name: "Send", node: "part", args: randomValue(choices) };
    case "error":
      return { name: "Error", message: randomText(choices) };
    case "resume":
      return [randomValue(choices)];
    case "interrupt":
      return [{ id: `question-${seed}`, value: randomValue(choices) }];
  }
}

function nextCheckpoint(base: Checkpoint | undefined, step: PutStep): Checkpoint {
  const copy = copyCheckpoint(base ?? emptyCheckpoint());
  const next = { ...copy, id: step.id, ts: `2031-01-01T00:00:00.${step.id}Z` };
  if (step.seenBy !== undefined) next.versions_seen[step.seenBy] = { ...copy.channel_versions };
  return next;
}

/** Changes an item of a list in place, if nothing else holds it, and puts the list in its channel that way. */
function mutateItem(values: Record<string, unknown>, mutation: NonNullable<PutStep["mutation"]>): object | undefined {
  const choices = new Choices(mutation.seed);
  const list = values[mutation.channel];
  if (!Array.isArray(list)) return undefined;
  const item: unknown = choices.pickAny(list.filter((one) => typeof one === "object" && one !== null));
  if (typeof item !== "object" || item === null || occurrences(values, item) !== 1) return undefined;
  const text = randomText(choices);
  if (BaseMessage.isInstance(item)) item.content = text;
  else if (Array.isArray(item)) item.push(text);
  else if (Object.getPrototypeOf(item) === Object.prototype) (item as Record<string, unknown>)["text"] = text;
  else return undefined;
  const others = (): unknown[] => list.filter((one) => one !== item);
  if (mutation.list === "copy") values[mutation.channel] = [...list];
  if (mutation.list === "moved") values[mutation.channel] = [...others(), item];
  return item;
}

/** How often an object is found in a value, also below others. */
function occurrences(value: unknown, wanted: object): number {
  if (value === wanted) return 1;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return 0;
  const parts = value instanceof Map || value instanceof Set ? [...value] : Object.values(value);
  return parts.reduce<number>((sum, part) => sum + occurrences(part, wanted), 0);
}

function configOf(at: Place, id: string | undefined, guard?: object): RunnableConfig {
  return {
    configurable: {
      thread_id: at.thread,
      checkpoint_ns: at.ns,
      ...(id === undefined ? {} : { checkpoint_id: id }),
      ...(guard === undefined ? {} : { [COMMIT_KEY]: guard }),
      // A graph passes much more than a saver needs.
      user: "somebody",
    },
    metadata: { user: "somebody" },
  };
}

function heldKey(at: Place, id: string): string {
  return JSON.stringify([at.thread, at.ns, id]);
}
