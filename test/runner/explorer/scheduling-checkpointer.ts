import type { PendingWrite } from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { COMMIT_KEY, storedInterrupts } from "perdure/checkpoint";
import type { Checkpointer, CommitGuard, LockOptions, ThreadLock, ThreadRecord } from "perdure/checkpoint";
import { overriding } from "../../support/crash-overriding.ts";
import { collect } from "../../support/collect.ts";
import { LOCKS, placeOf } from "./footprint.ts";
import type { Footprint, Resource } from "./footprint.ts";
import { nameTask } from "./name-task.ts";
import type { Names } from "./names.ts";
import type { StoreCall } from "./store-call.ts";

/** A call, as it is made on a store. */
export type Work<T> = (store: Checkpointer) => Promise<T>;

/** Whose calls these are, and who decides when each is let go. */
export interface Seat {
  readonly driver: string;
  readonly names: Names;
  /** The n-th version of a channel that this driver makes. */
  nextVersion(): number;
  /** Resolves with what `work` gives, when the call's turn has come; never for a driver that is dead by then. */
  call<T>(call: StoreCall, work: Work<T>): Promise<T>;
  /** Takes a lock when its turn has come. */
  lock(call: StoreCall & { kind: "lock" }): Promise<ThreadLock | undefined>;
}

/**
 * The checkpointer as one driver sees it: each call waits for its turn. What is to be stored is copied when the
 * call is made, as a store that answers later has to.
 */
export function schedulingCheckpointer(store: Checkpointer, seat: Seat): Checkpointer {
  const { names, driver } = seat;
  const read = <T>(reads: readonly Resource[], label: string, work: Work<T>): Promise<T> =>
    seat.call({ kind: "read", label, footprint: { reads, writes: [] } }, work);
  /** The newest checkpoint of the root that this driver has seen or made: what it runs stands on that. */
  let root = "nothing";
  const nameNamespaces = (namespaces: readonly string[]): void => {
    for (const namespace of namespaces) {
      const [node = "", taskId] = namespace.split("|").at(-1)?.split(":") ?? [];
      if (taskId !== undefined) nameTask(names, taskId, `${root}/${node}`);
    }
  };
  const at = (config: RunnableConfig): string => {
    nameNamespaces([namespaceOf(config)]);
    return placeName(config, names);
  };
  const naming = (change: (record: ThreadRecord) => ThreadRecord) => (stored: ThreadRecord) => {
    const changed = change(stored);
    if (changed.run !== null) names.count(changed.run.id, `run of ${driver}`);
    return changed;
  };

  return overriding(store, {
    shared: false, // no driver looks by itself, every second, whether its thread was cancelled
    getNextVersion: (current: number | undefined) => Math.floor(current ?? 0) + 1 + seat.nextVersion(),
    async getTuple(config) {
      const tuple = await read([placeOf(config)], `getTuple ${at(config)}`, (store) => store.getTuple(config));
      if (tuple !== undefined && namespaceOf(config) === "") root = names.of(tuple.checkpoint.id);
      return tuple;
    },
    getDeltaChannelHistory: (options) =>
      read([placeOf(options.config)], `getDeltaChannelHistory ${at(options.config)}`, (store) =>
        store.getDeltaChannelHistory(options),
      ),
    newestBelow(threadId, namespaces) {
      nameNamespaces(namespaces);
      const place = namespaces.includes("") ? "root" : "subgraphs";
      const label = `newestBelow ${names.in(namespaces)}`;
      return read([place], label, (store) => store.newestBelow(threadId, namespaces));
    },
    readRecord: (threadId) => read(["record"], "readRecord", (store) => store.readRecord(threadId)),
    readAnswer: (threadId, id) =>
      read(["answers"], `readAnswer ${names.of(id)}`, (store) => store.readAnswer(threadId, id)),
    async *list(config, options) {
      const tuples = await read(["root", "subgraphs"], `list ${at(config)}`, (store) =>
        collect(store.list(config, options)),
      );
      yield* tuples;
    },
    put(config, checkpoint, metadata, newVersions) {
      const copies = structuredClone([checkpoint, metadata, newVersions] as const);
      const { guard, guarded } = guardOf(config, naming);
      names.count(checkpoint.id, driver);
      const name = names.of(checkpoint.id);
      if (namespaceOf(config) === "") root = name;
      const namespace = names.in(namespaceOf(config)).slice(1, -1);
      const parentId: unknown = config.configurable?.["checkpoint_id"];
      const parent = typeof parentId === "string" ? names.of(parentId) : undefined;
      return seat.call(
        {
          kind: "commit",
          label: `put ${name} (${metadata.source}) on ${at(config)}`,
          footprint: guardedWrite(config, guard),
          commit: { stores: "checkpoint", name, namespace, parent, guard },
        },
        (store) => store.put(guarded, ...copies),
      );
    },
    putWrites(config, writes, taskId) {
      const copies = structuredClone(writes);
      const { guard, guarded } = guardOf(config, naming);
      nameTaskOf(writes, taskId, config, names);
      const channels = writes.map(([channel]) => channel);
      const task = names.of(taskId);
      const checkpoint = names.of(String(config.configurable?.["checkpoint_id"]));
      return seat.call(
        {
          kind: "commit",
          label: `putWrites ${task}: ${channels.join()}`,
          footprint: guardedWrite(config, guard),
          commit: { stores: "writes", checkpoint, task, channels, guard },
        },
        (store) => store.putWrites(guarded, copies, taskId),
      );
    },
    updateRecord: (threadId, change) =>
      seat.call(
        {
          kind: "commit",
          label: "updateRecord",
          footprint: { reads: [], writes: ["record"] },
          commit: { stores: "record" },
        },
        (store) => store.updateRecord(threadId, naming(change)),
      ),
    commitAnswers(threadId, commit) {
      const { record, ...copied } = commit;
      const copy = { ...structuredClone(copied), ...(record === undefined ? {} : { record: naming(record) }) };
      const answers = commit.answers.map(({ interruptId, answer }) => ({
        id: interruptId,
        interrupt: names.of(interruptId),
        answer: names.in(answer),
      }));
      return seat.call(
        {
          kind: "commit",
          label: `commitAnswers ${answers.map(({ interrupt, answer }) => `${interrupt} = ${answer}`).join()}`,
          footprint: {
            reads: ["root"],
            writes: ["answers", "root", "subgraphs", ...(record === undefined ? [] : ["record" as const])],
          },
          commit: { stores: "answers", answers },
        },
        (store) => store.commitAnswers(threadId, copy),
      );
    },
    lockThread: (_threadId: string, options: LockOptions) =>
      seat.lock({
        kind: "lock",
        label: `lockThread ${options.mode}${options.wait ? ", waiting" : ""}`,
        footprint: LOCKS,
        options,
      }),
  } satisfies Partial<Checkpointer>);
}

/** What a checkpoint or a task's writes change; a guard compares the epoch in the record. */
function guardedWrite(config: RunnableConfig, guard: CommitGuard | undefined): Footprint {
  const place = placeOf(config);
  if (guard?.record !== undefined) return { reads: [], writes: [place, "record"] };
  return { reads: guard === undefined ? [] : ["record"], writes: [place] };
}

function namespaceOf({ configurable = {} }: RunnableConfig): string {
  return String(configurable["checkpoint_ns"] ?? "");
}

function placeName({ configurable = {} }: RunnableConfig, names: Names): string {
  const { checkpoint_ns: namespace = "", checkpoint_id: id } = configurable;
  const checkpoint = typeof id === "string" ? names.of(id) : "the head";
  return namespace === "" ? checkpoint : `${checkpoint} in ${names.in(namespace).slice(1, -1)}`;
}

/** The guard of a commit, and the config with a guard whose change of the record names the run that it begins. */
function guardOf(
  config: RunnableConfig,
  naming: (change: (record: ThreadRecord) => ThreadRecord) => (record: ThreadRecord) => ThreadRecord,
): { guard: CommitGuard | undefined; guarded: RunnableConfig } {
  const guard = config.configurable?.[COMMIT_KEY] as CommitGuard | undefined;
  if (guard?.record === undefined) return { guard, guarded: config };
  const named: CommitGuard = { ...guard, record: naming(guard.record) };
  return { guard, guarded: { ...config, configurable: { ...config.configurable, [COMMIT_KEY]: named } } };
}

function interruptsOf([, stored]: PendingWrite) {
  return storedInterrupts<{ readonly id?: string; readonly perdure?: { readonly answers?: number } }>(stored);
}

/** A task that no node told the name of, such as LangGraph's own for the input, is named by what it writes. */
function nameTaskOf(writes: readonly PendingWrite[], taskId: string, config: RunnableConfig, names: Names): void {
  const checkpoint = names.of(String(config.configurable?.["checkpoint_id"]));
  nameTask(names, taskId, `${checkpoint}/${writes.map(([channel]) => channel).join()}`);
  for (const { id, perdure } of writes.filter(([channel]) => channel === "__interrupt__").flatMap(interruptsOf)) {
    // LangGraph's own id: before 1.7 one for all of a task (H4); what the task repeats of a subgraph has its name
    if (id !== undefined) names.give(id, `${names.of(taskId)}!${perdure?.answers ?? 0}`);
  }
}
