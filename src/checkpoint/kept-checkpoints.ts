import type { CheckpointMetadata } from "@langchain/langgraph-checkpoint";

/** What has to be known of a checkpoint to tell whether others need it. */
export interface CheckpointFacts {
  readonly ns: string;
  readonly id: string;
  readonly parentId: string | undefined;
  /** LangGraph's version of the format. */
  readonly v: number;
  readonly metadata: CheckpointMetadata | undefined;
  /** The channels that have a version, and those whose value is in the checkpoint. */
  readonly channels: readonly string[];
  readonly values: ReadonlySet<string>;
}

/** A checkpoint of a thread. */
export type CheckpointKey = Pick<CheckpointFacts, "ns" | "id">;

/** What is kept of a thread. */
export interface KeepRule {
  /** So many of each namespace. */
  readonly keepNewest: number;
  /** Whether the root's newest checkpoint has no tasks left. */
  readonly isFinished: boolean;
}

/** Channels of LangGraph's own whose values come and go with each superstep. */
const PASSING = /^(?:branch:|join:|__start__$|__pregel_)/u;

/** The version of the format before which what `Send` had sent was stored with the parent. */
const SENDS_IN_CHECKPOINT = 4;

/**
 * Tells which checkpoints of a thread go, given all of them:
 * - the newest of the root and of each subgraph with a memory of its own stay
 * - those of a subgraph that ran for a task stay while the checkpoint stays whose task it was, the newest of them
 * - what LangGraph's DeltaChannel needs stays: a checkpoint without the channel's value is read with its
 *   ancestors back to the nearest one that has it
 * - the parent of a checkpoint older than format 4 stays, since it has what was sent
 * - the parent of the root's newest one stays while tasks are left: by it a runner tells a breakpoint after a node
 *
 * Each that stays can be read, continued and forked as before. Only its parent may be gone, which it goes on naming.
 */
export function removableCheckpoints(all: readonly CheckpointFacts[], rule: KeepRule): CheckpointKey[] {
  const thread = new ThreadCheckpoints(all);
  const head = thread.of("")[0];
  const before = head && thread.parentOf(head);
  if (!rule.isFinished && before !== undefined) thread.keep(before);
  for (const ns of thread.namespaces.toSorted((one, other) => depthOf(one) - depthOf(other))) {
    const candidates = isOfTask(ns) ? thread.of(ns).filter((each) => thread.isOfKept(each)) : thread.of(ns);
    for (const each of candidates.slice(0, rule.keepNewest)) thread.keep(each);
  }
  return all.filter((each) => !thread.keeps(each)).map(({ ns, id }) => ({ ns, id }));
}

/** The checkpoints of a thread, and which of them stay. */
class ThreadCheckpoints {
  /** By namespace, newest first. */
  readonly #namespaces = new Map<string, CheckpointFacts[]>();
  readonly #byKey = new Map<string, CheckpointFacts>();
  readonly #kept = new Set<CheckpointFacts>();

  constructor(all: readonly CheckpointFacts[]) {
    for (const each of all) {
      this.#byKey.set(keyOf(each), each);
      const others = this.#namespaces.get(each.ns);
      if (others === undefined) this.#namespaces.set(each.ns, [each]);
      else others.push(each);
    }
    for (const each of this.#namespaces.values()) each.sort((one, other) => (one.id < other.id ? 1 : -1));
  }

  get namespaces(): string[] {
    return [...this.#namespaces.keys()];
  }

  of(ns: string): readonly CheckpointFacts[] {
    return this.#namespaces.get(ns) ?? [];
  }

  keeps(facts: CheckpointFacts): boolean {
    return this.#kept.has(facts);
  }

  parentOf({ ns, parentId }: CheckpointFacts): CheckpointFacts | undefined {
    return parentId === undefined ? undefined : this.#byKey.get(keyOf({ ns, id: parentId }));
  }

  /** Keeps a checkpoint, and in turn what it needs. */
  keep(facts: CheckpointFacts): void {
    const left = [facts];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      if (this.#kept.has(next)) continue;
      this.#kept.add(next);
      left.push(...this.#neededBy(next));
    }
  }

  /** Whether the checkpoints whose tasks a subgraph's belongs to stay. One that is not stored yet will be. */
  isOfKept({ metadata }: CheckpointFacts): boolean {
    return Object.entries(metadata?.parents ?? {}).every(([ns, id]) => {
      const found = this.#byKey.get(keyOf({ ns, id }));
      if (found !== undefined) return this.#kept.has(found);
      const newest = this.of(ns)[0]?.id;
      return newest === undefined || id > newest;
    });
  }

  #neededBy(facts: CheckpointFacts): CheckpointFacts[] {
    const needed: CheckpointFacts[] = [];
    const parent = this.parentOf(facts);
    if (parent !== undefined && facts.v < SENDS_IN_CHECKPOINT) needed.push(parent);
    for (const channel of this.#deltaChannels(facts)) {
      for (let above = parent; above !== undefined; above = this.parentOf(above)) {
        needed.push(above);
        if (above.values.has(channel)) break;
      }
    }
    return needed;
  }

  /**
   * The channels whose value is made of what was written before. What a loop puts lists them, unless it has their
   * values; an update of the state does not list them, so there the parent tells.
   */
  #deltaChannels(facts: CheckpointFacts): string[] {
    const listed = Object.keys(countersOf(facts));
    const unlisted =
      facts.metadata?.source === "loop" ? [] : facts.channels.filter((channel) => !PASSING.test(channel));
    return [...new Set([...listed, ...unlisted.filter((channel) => this.#wasDelta(facts, channel))])].filter(
      (channel) => !facts.values.has(channel),
    );
  }

  #wasDelta(facts: CheckpointFacts, channel: string): boolean {
    for (let above = this.parentOf(facts); above !== undefined; above = this.parentOf(above)) {
      if (above.values.has(channel) || channel in countersOf(above)) return true;
      if (above.metadata?.source === "loop") return false;
    }
    return false;
  }
}

function countersOf({ metadata }: CheckpointFacts): Readonly<Record<string, unknown>> {
  const { counters_since_delta_snapshot: counters } = (metadata ?? {}) as {
    readonly counters_since_delta_snapshot?: Readonly<Record<string, unknown>>;
  };
  return counters ?? {};
}

/** Whether a subgraph ran for one task: it has the task's id in its namespace, and a new one for the next task. */
function isOfTask(ns: string): boolean {
  return ns.includes(":");
}

function depthOf(ns: string): number {
  return ns === "" ? 0 : ns.split("|").length;
}

function keyOf({ ns, id }: CheckpointKey): string {
  return `${ns}\0${id}`;
}
