import { isDeepStrictEqual } from "node:util";
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import type { BaseCheckpointSaver, Checkpoint, CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { firstDifference } from "../first-difference.ts";
import type { Faulty, PutCall } from "./with-fault.ts";

/** Makes one instance of a saver faulty; `store` is what all instances share. */
type Fault = (inner: BaseCheckpointSaver, store: Map<string, unknown>) => Faulty;

/** The faults that a saver could have, or had; each is caught. */
export const FAULTS = {
  /** H9: with versions 1, 2, 3 the second branch gets what the first one stored under the same version. */
  forkCollision: (inner, store) => {
    const key = (at: RunnableConfig, channel: string, version: unknown): string =>
      JSON.stringify([placeOf(at), channel, Math.floor(Number(version))]);
    return {
      put(call) {
        for (const [channel, version] of Object.entries(call.newVersions)) {
          const at = key(call.config, channel, version);
          if (!store.has(at)) store.set(at, call.checkpoint.channel_values[channel]);
        }
        return putTo(inner, call);
      },
      spoilt(tuple) {
        for (const [channel, version] of Object.entries(tuple.checkpoint.channel_versions)) {
          const at = key(tuple.config, channel, version);
          if (channel in tuple.checkpoint.channel_values && store.has(at)) {
            tuple.checkpoint.channel_values[channel] = store.get(at);
          }
        }
        return tuple;
      },
    };
  },
  /** The newest item of a list is known to the instance that stored it, and to nobody else. */
  lostTail: (inner, store) => {
    const mine = new Set<string>();
    return {
      put: onListsOf(inner, (list, { before, id, channel }) => {
        if (!isStartOf(before, list) || list.length === before.length) return list;
        const key = `${id} ${channel}`;
        mine.add(key);
        store.set(key, "appended");
        return list;
      }),
      spoilt: onValues((value, channel, { checkpoint }) => {
        const key = `${checkpoint.id} ${channel}`;
        return Array.isArray(value) && store.has(key) && !mine.has(key) ? value.slice(0, -1) : value;
      }),
    };
  },
  /** The newest checkpoint is the one that this instance last saw, though another one has put newer ones. */
  staleCache: (inner) => {
    const heads = new Map<string, string>();
    return {
      async put(call) {
        const stored = await putTo(inner, call);
        const head = heads.get(placeOf(call.config));
        if (head === undefined || call.checkpoint.id > head) heads.set(placeOf(call.config), call.checkpoint.id);
        return stored;
      },
      async getTuple(config) {
        const known = heads.get(placeOf(config));
        if (known !== undefined && config.configurable?.["checkpoint_id"] === undefined) {
          return inner.getTuple({ configurable: { ...config.configurable, checkpoint_id: known } });
        }
        return inner.getTuple(config);
      },
    };
  },
  /** A task that ran twice: some writes of one run, some of the other. */
  mixedResults: (inner) => ({
    putWrites: (config, writes, task) => MemorySaver.prototype.putWrites.call(inner, config, writes, task),
  }),
  /** An empty list is read as no value. */
  emptyAsAbsent: () => ({
    spoilt(tuple) {
      for (const [channel, value] of Object.entries(tuple.checkpoint.channel_values)) {
        if (Array.isArray(value) && value.length === 0) delete tuple.checkpoint.channel_values[channel];
      }
      return tuple;
    },
  }),
  /** A list that is as long as before counts as the same one. */
  lostEdit: (inner) => ({
    put: onListsOf(inner, (list, { before }) =>
      list.length === before.length && isDeepStrictEqual(list.at(-1), before.at(-1)) ? before : list,
    ),
  }),
  /** A list that lost its end is taken for the longer one before. */
  lostCut: (inner) => ({
    put: onListsOf(inner, (list, { before }) => (isStartOf(list, before) ? before : list)),
  }),
  /** The same array again counts as unchanged, though it was pushed to. */
  missedPush: (inner) => {
    const known = new WeakMap<object, unknown>();
    return {
      put: (call) => {
        const values = { ...call.checkpoint.channel_values };
        for (const [channel, list] of Object.entries(call.given.channel_values)) {
          if (!Array.isArray(list)) continue;
          if (!known.has(list)) known.set(list, values[channel]);
          if (channel in call.newVersions) values[channel] = known.get(list);
        }
        return putTo(inner, call, values);
      },
    };
  },
  /** An item that was stored once counts as unchanged, though a node changed it and returned it. */
  missedMutation: (inner) => {
    const known = new WeakMap<object, unknown>();
    return {
      put: (call) => {
        const values = { ...call.checkpoint.channel_values };
        for (const [channel, list] of Object.entries(values)) {
          const items = call.itemsOf(channel).map((item, index) => {
            const own = (list as unknown[])[index];
            if (typeof item !== "object" || item === null) return own;
            if (!known.has(item)) known.set(item, own);
            return known.get(item);
          });
          if (Array.isArray(list) && channel in call.newVersions) values[channel] = items;
        }
        return putTo(inner, call, values);
      },
    };
  },
  /** What was read once is given out again, the very objects. */
  sharedObjects: (inner) => {
    const cache = new Map<string, CheckpointTuple["checkpoint"]>();
    return {
      put: (call) => {
        cache.delete(call.checkpoint.id);
        return putTo(inner, call);
      },
      spoilt: (tuple) => {
        const { id } = tuple.checkpoint;
        if (!cache.has(id)) cache.set(id, tuple.checkpoint);
        return { ...tuple, checkpoint: cache.get(id) as Checkpoint };
      },
      deleteThread: (thread) => {
        cache.clear();
        return inner.deleteThread(thread);
      },
    };
  },
  /** Values are serialized when the store gets to it, and not when they are given. */
  lateSerialization: (inner) => ({
    put: (call) => putTo(inner, call, call.given.channel_values),
  }),
  /** The newest checkpoint is the one that came last, also when its id is not the greatest. */
  lastPutAsHead: (inner, store) => ({
    put: async (call) => {
      const stored = await putTo(inner, call);
      store.set(placeOf(call.config), call.checkpoint.id);
      return stored;
    },
    getTuple: async (config) => {
      const id = config.configurable?.["checkpoint_id"] ?? store.get(placeOf(config));
      const found = await inner.getTuple({ configurable: { ...config.configurable, checkpoint_id: id } });
      return found ?? inner.getTuple(config);
    },
  }),
  /** Deleting a thread forgets its subgraphs. */
  halfDeleted: (inner) => ({
    deleteThread: async (thread) => {
      const left: CheckpointTuple[] = [];
      for await (const tuple of inner.list({ configurable: { thread_id: thread } })) {
        if (tuple.config.configurable?.["checkpoint_ns"] !== "") left.push(tuple);
      }
      await inner.deleteThread(thread);
      for (const { config, parentConfig, checkpoint, metadata } of left) {
        const { thread_id, checkpoint_ns } = config.configurable ?? {};
        const checkpoint_id = parentConfig?.configurable?.["checkpoint_id"];
        const at = { configurable: { thread_id, checkpoint_ns, checkpoint_id } };
        await inner.put(at, checkpoint, metadata!, checkpoint.channel_versions);
      }
    },
  }),
  /** A namespace is found by how it begins. */
  namespacePrefix: (inner) => ({
    async *list(config, options) {
      const { thread_id, checkpoint_ns: ns } = config.configurable ?? {};
      if (thread_id === undefined || !ns) return yield* inner.list(config, options);
      for await (const tuple of inner.list({ configurable: { thread_id } }, options)) {
        if (String(tuple.config.configurable?.["checkpoint_ns"]).startsWith(ns)) yield tuple;
      }
    },
  }),
  /** `before` includes the checkpoint itself. */
  beforeIncludes: (inner) => ({
    list: (config, options) => {
      const id = options?.before?.configurable?.["checkpoint_id"] as string | undefined;
      return inner.list(
        config,
        id === undefined ? options : { ...options, before: { configurable: { checkpoint_id: `${id}~` } } },
      );
    },
  }),
  /** A put that is made again, as after a lost connection, appends its items again. */
  doubledRetry: (inner) => ({
    put: onListsOf(inner, (list, { before, isAgain }) =>
      isAgain && isStartOf(before, list) ? [...list, ...list.slice(before.length)] : list,
    ),
  }),
  /** A checkpoint that is put again keeps its first values. */
  firstPutStays: (inner) => ({
    put: async (call) => {
      const former = await tupleOf(inner, call.config, call.checkpoint.id);
      return putTo(inner, call, former?.checkpoint.channel_values);
    },
  }),
  /** A copy of a checkpoint takes from its parent what is not said to be new. */
  copyOfParent: (inner) => ({
    put: async (call) => {
      const parent = await parentOf(inner, call);
      const values = { ...call.checkpoint.channel_values };
      for (const channel of Object.keys(values)) {
        if (channel in call.newVersions || parent === undefined) continue;
        if (channel in parent.checkpoint.channel_values) values[channel] = parent.checkpoint.channel_values[channel];
        else delete values[channel];
      }
      return putTo(inner, call, values);
    },
  }),
  /** Writes to a checkpoint that is not there yet are dropped, as by a foreign key. */
  earlyWritesLost: (inner) => ({
    putWrites: async (config, writes, task) => {
      if ((await inner.getTuple(config)) !== undefined) await inner.putWrites(config, writes, task);
    },
  }),
  /** A NUL in a text is left out. */
  strippedNul: () => {
    const strip = (value: unknown): unknown => (typeof value === "string" ? value.replaceAll("\0", "") : value);
    return { spoilt: onValues((value) => (Array.isArray(value) ? value.map(strip) : strip(value))) };
  },
  /** A property that is undefined is left out. */
  undefinedLost: () => ({
    spoilt: (tuple) => {
      for (const value of Object.values(tuple.checkpoint.channel_values)) dropUndefined(value);
      return tuple;
    },
  }),
  /** The snapshot of a DeltaChannel is not found. */
  missedSnapshot: (inner) => ({
    getDeltaChannelHistory: async (options) => {
      const histories = await inner.getDeltaChannelHistory(options);
      for (const history of Object.values(histories)) delete (history as { seed?: unknown }).seed;
      return histories;
    },
  }),
} satisfies Record<string, Fault>;

/** The name of a fault. */
export type FaultName = keyof typeof FAULTS;

interface ListPut {
  /** The same channel's list in the parent. */
  readonly before: unknown[];
  readonly id: string;
  readonly channel: string;
  /** Whether the checkpoint was put before. */
  readonly isAgain: boolean;
}

/** A `put` that stores other lists, where a list became another one. */
function onListsOf(
  inner: BaseCheckpointSaver,
  change: (list: unknown[], put: ListPut) => unknown[],
): NonNullable<Faulty["put"]> {
  return async (call) => {
    const { id } = call.checkpoint;
    const values = { ...call.checkpoint.channel_values };
    const parent = await parentOf(inner, call);
    const isAgain = (await tupleOf(inner, call.config, id)) !== undefined;
    for (const channel of Object.keys(call.newVersions)) {
      const [before, list] = [parent?.checkpoint.channel_values[channel], values[channel]];
      if (Array.isArray(before) && Array.isArray(list))
        values[channel] = change(list, { before, id, channel, isAgain });
    }
    return putTo(inner, call, values);
  };
}

function putTo(
  inner: BaseCheckpointSaver,
  call: PutCall,
  values = call.checkpoint.channel_values,
): Promise<RunnableConfig> {
  return inner.put(call.config, { ...call.checkpoint, channel_values: values }, call.metadata, call.newVersions);
}

async function parentOf(inner: BaseCheckpointSaver, { config }: PutCall): Promise<CheckpointTuple | undefined> {
  return config.configurable?.["checkpoint_id"] === undefined ? undefined : inner.getTuple(config);
}

function tupleOf(inner: BaseCheckpointSaver, config: RunnableConfig, id: string): Promise<CheckpointTuple | undefined> {
  return inner.getTuple({ configurable: { ...config.configurable, checkpoint_id: id } });
}

function onValues(
  change: (value: unknown, channel: string, tuple: CheckpointTuple) => unknown,
): NonNullable<Faulty["spoilt"]> {
  return (tuple) => {
    const { channel_values: values } = tuple.checkpoint;
    for (const [channel, value] of Object.entries(values)) values[channel] = change(value, channel, tuple);
    return tuple;
  };
}

function isStartOf(start: readonly unknown[], list: readonly unknown[]): boolean {
  return start.length <= list.length && firstDifference(list.slice(0, start.length), start) === undefined;
}

function dropUndefined(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return;
  const record = value as Record<string, unknown>;
  for (const [key, item] of Object.entries(record)) {
    if (item === undefined) delete record[key];
    else dropUndefined(item);
  }
}

function placeOf(config: RunnableConfig): string {
  const { thread_id, checkpoint_ns = "" } = config.configurable ?? {};
  return JSON.stringify([thread_id, checkpoint_ns]);
}
