import { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type {
  ChannelVersions,
  Checkpoint,
  CheckpointListOptions,
  CheckpointMetadata,
  CheckpointPendingWrite,
  CheckpointTuple,
  PendingWrite,
} from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { COMMIT_KEY, storedInterrupts } from "../checkpoint/index.ts";
import type { Checkpointer, CommitGuard, ThreadRecord } from "../checkpoint/index.ts";
import { PerdureError, isPerdureError } from "../errors/index.ts";
import type { OnceCommitter } from "../nodes/index.ts";
import { graphChanged } from "./missing-nodes.ts";
import { BREAKPOINT_INSIDE } from "./pending-writes.ts";
import type { StoredError, StoredInterrupt, TaskWrites } from "./pending-writes.ts";
import { CHANNEL, PREGEL_KEY, beginAnew, isResult } from "./pregel.ts";

/** What a drive may commit, and who hears of it. */
export interface DriveSaverOptions {
  readonly checkpointer: Checkpointer;
  readonly threadId: string;
  /** The epoch of the thread's record when the drive began; a cancel raises it (I7). */
  readonly epoch: number;
  /** The head as it was read for the drive, to spare LangGraph reading it again; undefined for a thread without one. */
  readonly head: CheckpointTuple | undefined;
  /** What is stored of the head's tasks. */
  readonly tasks: ReadonlyMap<string, TaskWrites>;
  /** A change of the record, committed with the drive's first checkpoint. */
  readonly record: ((record: ThreadRecord) => ThreadRecord) | undefined;
  /** Whether its checkpoints must stand on the thread's head; a fork's do not. */
  readonly onHead: boolean;
  /** The id of the head that its work was planned on; undefined for a thread without checkpoints. */
  readonly plannedOn: string | undefined;
  /** Whether the task ran to its end in this drive. */
  readonly ranToEnd: (taskId: string) => boolean;
  /** A question was stored. */
  readonly onInterrupt: (asked: AskedInterrupt) => void;
  /** Whether a failure is not to be stored, because the caller will try the task again. */
  readonly spares?: ((taskId: string, error: unknown) => boolean) | undefined;
  /** Nodes where a subgraph goes next and which it has not any more; absent where nothing runs. */
  readonly missingNodes?: ((head: CheckpointTuple) => readonly string[]) | undefined;
  /** A commit failed: the drive must stop. */
  readonly onFailure: (error: unknown) => void;
}

/** A question in the moment it is stored. */
export interface AskedInterrupt {
  readonly taskId: string;
  readonly namespace: string;
  readonly answersBefore: number;
  readonly interrupt: StoredInterrupt;
}

/**
 * The checkpointer that LangGraph sees during one drive. It lets through only what the drive may
 * commit, and keeps the invariants LangGraph leaves open:
 * - every checkpoint names the parent it stands on and every commit the epoch it belongs to (I4, I7)
 * - the first failed commit stops the drive, and nothing after it is stored; it is reported once, by
 *   the drive, and not as an unhandled rejection while a node still runs
 * - a task is finished only by a result it really produced: LangGraph stores "no writes" for siblings
 *   that a failure kept from starting (H20), and a half result for a node whose router threw
 * - an answer that is stored stays stored (I1): LangGraph writes back those that the task came to read, which
 *   are fewer when it failed before its last question, or when one more was committed meanwhile
 */
export class DriveSaver extends BaseCheckpointSaver {
  readonly #options: DriveSaverOptions;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #nested = new WeakSet<object>();
  /** The task that failed, by the task of its error handler. */
  readonly #handlers = new Map<string, string>();
  /** What tasks failed with. */
  readonly #errors = new Map<string, unknown>();
  /** How many answers each task had when LangGraph read them. */
  readonly #answersRead = new Map<string, number>();
  /** Whether what LangGraph reads first is known. */
  #isKnown: boolean;
  #isBegun = false;
  #record: DriveSaverOptions["record"];
  #failure: { readonly error: unknown } | undefined;
  /** The codes of what tasks threw: LangGraph stores an error's name and message only. */
  readonly #codes = new Map<string, string>();
  #closed = false;
  #recordedWith: string | undefined;
  #left: CheckpointTuple | undefined;
  #version: { readonly after: number | undefined; readonly next: number } | undefined;

  /** For `once.tx`, which looks for it on the checkpointer of its task; absent where that has no SQL database. */
  readonly commitOnce: OnceCommitter["commitOnce"] | undefined;

  constructor(options: DriveSaverOptions) {
    super(options.checkpointer.serde);
    this.#options = options;
    if (options.checkpointer.commitOnce !== undefined) this.commitOnce = (place, work) => this.#commitOnce(place, work);
    this.#record = options.record;
    for (const [taskId, { error }] of options.tasks) this.#errors.set(taskId, error);
    // reducers may change values in place while they are shown, so a head with finished tasks is read anew
    this.#isKnown = options.tasks.size === 0 && options.head?.checkpoint.id === options.plannedOn;
  }

  /** Resolves when all that was handed over so far is stored; throws if it could not be. */
  stored(): Promise<void> | undefined {
    if (this.#failure === undefined && this.#inFlight.size === 0) return undefined;
    return this.#allStored();
  }

  async #allStored(): Promise<void> {
    await Promise.all(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Resolves when nothing is under way any more, stored or not. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  /** The checkpoint that the change of the record went with, stored or not. */
  get recordedWith(): string | undefined {
    return this.#recordedWith;
  }

  /**
   * The newest checkpoint of the root graph that this drive has committed, with the very values that the nodes returned;
   * undefined where more was stored beside it.
   */
  get left(): CheckpointTuple | undefined {
    return this.#left;
  }

  /** A task threw this, which is about to be stored. */
  failedWith(taskId: string, error: unknown): void {
    const code: unknown = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
    if (typeof code === "string") this.#codes.set(taskId, code);
  }

  /** From here on nothing is stored any more: what a node that ignores its signal writes is dropped (I7). */
  close(): void {
    this.#closed = true;
  }

  /** Tells that a task is the error handler of another one: what it ends with decides about that one too. */
  handles(handlerTaskId: string, failedTaskId: string): void {
    this.#handlers.set(handlerTaskId, failedTaskId);
  }

  /** The writes of a task that was finished before this drive began. */
  resultOf(taskId: string): TaskWrites["result"] | undefined {
    const writes = this.#options.tasks.get(taskId);
    return writes?.finished === true ? writes.result : undefined;
  }

  /**
   * Channels written in one superstep get one version, as in LangGraph: it tells by them what ran last.
   * A field and not a method: LangGraph's updateState calls it without its object.
   */
  override getNextVersion: BaseCheckpointSaver["getNextVersion"] = (current) => {
    if (this.#version === undefined || this.#version.after !== current) {
      this.#version = { after: current, next: this.#options.checkpointer.getNextVersion(current) };
    }
    return this.#version.next;
  };

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const isKnown = this.#isKnown;
    this.#isKnown = false;
    const { checkpoint_ns: ns = "", checkpoint_id: id } = config.configurable ?? {};
    const isBegun = this.#isBegun;
    this.#isBegun = true;
    if (isKnown && ns === "" && id === undefined) return this.#options.head;
    const tuple = withoutBareAnswers(await this.#reached(this.#options.checkpointer.getTuple(config)));
    if (!isBegun && ns === "" && id === undefined) this.#assertPlannedOn(tuple?.checkpoint.id);
    if (tuple !== undefined && ns !== "") {
      beginAnew(config, tuple);
      if (config.configurable?.[PREGEL_KEY.resuming] === true) this.#assertKnown(tuple);
    }
    for (const [taskId, channel, value] of tuple?.pendingWrites ?? []) {
      if (channel === CHANNEL.resume && Array.isArray(value)) this.#answersRead.set(taskId, value.length);
    }
    return tuple;
  }

  /** LangGraph would take a subgraph for done that goes on at a node which it has not any more. */
  #assertKnown(head: CheckpointTuple): void {
    const { missingNodes, threadId, onFailure } = this.#options;
    const missing = missingNodes?.(head) ?? [];
    if (missing.length === 0) return;
    const error = graphChanged(threadId, missing);
    onFailure(error);
    throw error;
  }

  /** I4: LangGraph puts its first checkpoint on the head it reads, so that has to be the one we looked at. */
  #assertPlannedOn(head: string | undefined): void {
    const { onHead, plannedOn, threadId } = this.#options;
    if (!onHead || head === plannedOn) return;
    throw new PerdureError(
      "CHECKPOINT_CONFLICT",
      `the newest checkpoint of thread "${threadId}" is ${head ?? "none"} by now, and was ${plannedOn ?? "none"}.`,
      { hint: "Somebody else advanced the thread; nothing was stored. Inspect the thread and continue from there." },
    );
  }

  override list(config: RunnableConfig, options?: CheckpointListOptions): AsyncGenerator<CheckpointTuple> {
    return this.#options.checkpointer.list(config, options);
  }

  override getDeltaChannelHistory: BaseCheckpointSaver["getDeltaChannelHistory"] = (options) =>
    this.#reached(this.#options.checkpointer.getDeltaChannelHistory(options));

  override deleteThread(threadId: string): Promise<void> {
    return this.#options.checkpointer.deleteThread(threadId);
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { checkpoint_ns: ns = "", checkpoint_id: parent } = config.configurable ?? {};
    if (!this.#stopped()) {
      const guard: CommitGuard = {
        onHead: this.#options.onHead && ns === "",
        epoch: this.#options.epoch,
        ...this.#takeRecord(ns, checkpoint.id),
      };
      await this.#track(
        this.#options.checkpointer.put(this.#config(ns, parent, guard), checkpoint, metadata, newVersions),
      );
      if (ns === "" && this.#failure === undefined)
        this.#left = leftHead(this.#config("", checkpoint.id), checkpoint, metadata);
    }
    return this.#config(ns, checkpoint.id);
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath?: string,
  ): Promise<void> {
    if (this.#stopped()) return;
    const { checkpoint_ns: ns = "", checkpoint_id: id } = config.configurable ?? {};
    const kept = this.#keep(ns, taskId, writes);
    if (kept.length === 0) return;
    this.#left = undefined;
    const guard: CommitGuard = { onHead: false, epoch: this.#options.epoch };
    const place = this.#config(ns, id, guard);
    await this.#track(this.#options.checkpointer.putWrites(place, kept, taskId, taskPath));
    const failedTaskId = ns === "" ? this.#handlers.get(taskId) : undefined;
    const outcome = failedTaskId === undefined ? undefined : this.#handled(failedTaskId, kept);
    if (failedTaskId === undefined || outcome === undefined) return;
    await this.#track(this.#options.checkpointer.putWrites(place, [outcome], failedTaskId));
  }

  /**
   * Not waited for when the drive ends: the work may last. It is rolled back then, and should it be past that already,
   * whoever does it next waits for it and finds its record.
   */
  async #commitOnce(...[place, work]: Parameters<OnceCommitter["commitOnce"]>): Promise<unknown> {
    const { checkpointer, epoch } = this.#options;
    const unlessStopped: typeof work = async (sql) => {
      const result = await work(sql);
      if (!this.#stopped()) return result;
      throw new PerdureError("RUN_CANCELLED", `once.tx "${place.key}" came to its end after the run that it is of.`, {
        hint: "Nothing was stored. Have the node stop when its signal aborts.",
      });
    };
    return this.#reached(Promise.resolve(checkpointer.commitOnce?.({ ...place, epoch }, unlessStopped)));
  }

  /** What the end of an error handler means for the task that failed; a question of its own means nothing yet. */
  #handled(failedTaskId: string, writes: readonly PendingWrite[]): PendingWrite | undefined {
    const failure = writes.find(([channel]) => channel === CHANNEL.error)?.[1];
    if (failure === undefined || failure === null) {
      return writes.some(([channel]) => isResult(channel)) ? [CHANNEL.noWrites, null] : undefined;
    }
    const { perdure: _, ...own } = (this.#errors.get(failedTaskId) ?? failure) as StoredError;
    return [CHANNEL.error, { ...own, perdure: { handler: failure } }];
  }

  #stopped(): boolean {
    return this.#closed || this.#failure !== undefined;
  }

  #takeRecord(ns: string, checkpointId: string): { record?: NonNullable<DriveSaverOptions["record"]> } {
    const record = ns === "" ? this.#record : undefined;
    if (record === undefined) return {};
    this.#record = undefined;
    this.#recordedWith = checkpointId;
    return { record };
  }

  #config(ns: string, checkpointId: string | undefined, guard?: CommitGuard): RunnableConfig {
    return {
      configurable: {
        thread_id: this.#options.threadId,
        checkpoint_ns: ns,
        ...(checkpointId === undefined ? {} : { checkpoint_id: checkpointId }),
        ...(guard === undefined ? {} : { [COMMIT_KEY]: guard }),
      },
    };
  }

  #keep(ns: string, taskId: string, writes: PendingWrite[]): PendingWrite[] {
    const kept = writes.filter((write) => !this.#isStoredAnswer(taskId, write));
    const failure = writes.find(([channel]) => channel === CHANNEL.error);
    if (failure !== undefined && ns === "" && this.#options.spares?.(taskId, failure[1]) === true) return [];
    if (failure !== undefined) {
      const code = this.#codes.get(taskId);
      const stored = code === undefined ? failure[1] : { ...(failure[1] as StoredError), code };
      this.#errors.set(taskId, stored);
      return kept
        .filter(([channel]) => !isResult(channel))
        .map(([channel, value]): PendingWrite => [channel, channel === CHANNEL.error ? stored : value]);
    }
    if (writes.some(([channel]) => channel === CHANNEL.interrupt))
      return this.#markInterrupts(ns, taskId, kept, answersIn(writes));
    const nothing = writes.every(([channel]) => channel === CHANNEL.noWrites);
    if (ns === "" && !this.#options.ranToEnd(taskId)) return nothing ? [] : kept;
    // LangGraph says only of a task that was never answered that it ended without a result
    const isMute = ns === "" && !writes.some(([channel]) => isResult(channel));
    return isMute ? [...kept, [CHANNEL.noWrites, null]] : kept;
  }

  /** Only an answer that LangGraph took from elsewhere is new: a bare one of a plain LangGraph call before. */
  #isStoredAnswer(taskId: string, [channel, value]: PendingWrite): boolean {
    if (channel !== CHANNEL.resume || !Array.isArray(value)) return false;
    return value.length <= (this.#answersRead.get(taskId) ?? 0);
  }

  #markInterrupts(ns: string, taskId: string, writes: PendingWrite[], answersBefore: number): PendingWrite[] {
    const marked = writes.map(([channel, value]): PendingWrite => {
      return channel === CHANNEL.interrupt ? this.#marked(ns, taskId, value, answersBefore) : [channel, value];
    });
    // it asks now, so an earlier failure of it is over
    const isQuestion = marked.every(([channel]) => channel !== CHANNEL.error);
    const failedBefore = ns !== "" || this.#options.tasks.get(taskId)?.error !== undefined;
    return failedBefore && isQuestion ? [...marked, [CHANNEL.error, null]] : marked;
  }

  /** In the form in which LangGraph stores them. */
  #marked(ns: string, taskId: string, stored: unknown, answersBefore: number): PendingWrite {
    const interrupts = storedInterrupts<StoredInterrupt>(stored);
    const isBreakpoint = ({ value }: StoredInterrupt): boolean => value === BREAKPOINT_INSIDE;
    const own = interrupts.filter((interrupt) => !isBreakpoint(interrupt) && !this.#nested.has(interrupt));
    for (const interrupt of interrupts) this.#nested.add(interrupt);
    if (own.length > 0 && answersBefore < (this.#answersRead.get(taskId) ?? 0)) {
      return [CHANNEL.error, asksOutOfReach()];
    }
    if (own.length > 1) return [CHANNEL.error, asksSeveral()];
    for (const interrupt of own) this.#options.onInterrupt({ taskId, namespace: ns, answersBefore, interrupt });
    const marked = interrupts.map((interrupt): StoredInterrupt => {
      const nested = !own.includes(interrupt);
      const breakpoint = isBreakpoint(interrupt) ? ({ breakpoint: true } as const) : {};
      return { ...interrupt, perdure: { answers: answersBefore, nested, ...breakpoint } };
    });
    return [CHANNEL.interrupt, Array.isArray(stored) ? marked : marked[0]];
  }

  #track(work: Promise<unknown>): Promise<void> {
    const tracked: Promise<void> = work.then(
      () => void this.#inFlight.delete(tracked),
      (error: unknown) => {
        this.#inFlight.delete(tracked);
        this.#fail(error);
      },
    );
    this.#inFlight.add(tracked);
    return tracked;
  }

  /** What a node could not do for want of a connection would pass for a failure of the node. */
  async #reached<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (isPerdureError(error, "CHECKPOINTER_UNREACHABLE")) this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#options.onFailure(error);
  }
}

/** A checkpoint as it is read after it was stored. */
function leftHead(config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata): CheckpointTuple {
  return { config, checkpoint, metadata, pendingWrites: [] };
}

/** It would ask the same for ever. */
function asksOutOfReach(): StoredError {
  const { name, message, code } = new PerdureError(
    "GRAPH_UNSUPPORTED",
    "A question was asked where its answer does not arrive: in a graph inside the node that keeps no checkpoints.",
    { hint: "Compile that graph without checkpointer: false." },
  );
  return { name, message, code };
}

/** One answer would be given to the first of them, whichever was shown (H1). */
function asksSeveral(): StoredError {
  const { name, message, code } = new PerdureError(
    "GRAPH_UNSUPPORTED",
    "A node asked several questions at once, of which no answer could name one.",
    {
      hint: "Ask by interrupt(), one after the other; or in a subgraph that keeps checkpoints, one in each of its nodes.",
    },
  );
  return { name, message, code };
}

/** How many answers a task had read when it wrote this. */
function answersIn(writes: readonly PendingWrite[]): number {
  const resume = writes.find(([channel]) => channel === CHANNEL.resume)?.[1];
  return Array.isArray(resume) ? resume.length : 0;
}

/** The task under which plain LangGraph stores an answer that names no question. */
const NO_TASK = "00000000-0000-0000-0000-000000000000";

/** Without such answers: what is asked next would get one that was meant for what was asked before (H2). */
function withoutBareAnswers(tuple: CheckpointTuple | undefined): CheckpointTuple | undefined {
  if (tuple?.pendingWrites?.some(([taskId]) => taskId === NO_TASK) !== true) return tuple;
  const isBare = ([taskId, channel]: CheckpointPendingWrite) => taskId === NO_TASK && channel === CHANNEL.resume;
  return { ...tuple, pendingWrites: tuple.pendingWrites.filter((write) => !isBare(write)) };
}
