import type { ThreadOwner } from "../checkpoint/index.ts";
import type { Callbacks } from "@langchain/core/callbacks/manager";
import { z } from "zod";
import { PerdureError, parseOptions, show } from "../errors/index.ts";
import type { DriveConfig } from "./engine.ts";
import type { JudgeFailure } from "./failure-judge.ts";

/** What every call that may run nodes can be given. */
export interface CallOptions {
  /** Passed to the nodes as LangGraph's `runtime.context`; not stored, so give it again on the next call. */
  readonly context?: Readonly<Record<string, unknown>>;
  /** Goes to the nodes and to tracing. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** More keys for `config.configurable`; `thread_id`, and those by which LangGraph drives, are the runner's. */
  readonly configurable?: Readonly<Record<string, unknown>>;
  /** LangChain callback handlers. */
  readonly callbacks?: Callbacks;
  /** Tags for tracing. */
  readonly tags?: readonly string[];
  /** How many tasks of a superstep run at the same time. @default all of them */
  readonly maxConcurrency?: number;
  /** The owner on whose behalf the call is made, for a thread that has one (`runner.claim`). @default nobody */
  readonly owner?: ThreadOwner;
  /** Stops driving: the call throws the signal's reason, and the thread can be continued. */
  readonly signal?: AbortSignal;
}

/** Options of the calls that drive a thread until it stops. */
export interface RunOptions extends CallOptions {
  /**
   * Most supersteps of the whole run, counted over all calls and crashes. When they are used up the
   * thread stays `ready`. @default the run's own limit, 10 000 unless `start` set another
   */
  readonly maxSteps?: number;
  /**
   * What to do while somebody else drives the thread: `reject` throws THREAD_BUSY (an answer or a
   * signal is committed all the same, and whoever drives goes on with it), `enqueue` waits. @default "reject"
   */
  readonly whenBusy?: "reject" | "enqueue";
  /**
   * Whether to drive the thread on. With false only what was given is committed, and the thread is returned as it stands
   * then: for a caller that runs its tasks by `step`. @default true
   */
  readonly drive?: boolean;
}

/** Options of `runner.start`. */
export interface StartOptions extends RunOptions {
  /**
   * Drop what the thread waits for or has not finished, and begin a new turn. It is recorded. What finished tasks of
   * the unfinished superstep wrote is dropped as well. @default false
   */
  readonly supersede?: boolean;
  /**
   * The caller's own name for this turn, such as the id of the message that begins it. While it is the thread's last
   * turn, `start` with the same id is the same turn: the input is not committed again, what is unfinished goes on as by
   * `continue`, and a thread that is done, cancelled, or waits for an answer is returned as it stands. So whoever did
   * not hear of the result can make the same call again. @default a new one
   */
  readonly runId?: string;
  /**
   * Whether the state that is returned has its values. With false they may be undefined while the thread is not done, and
   * what the call has just committed is not read again. @default true
   */
  readonly values?: boolean;
  /** Supersteps this call may run; the others are left. @default all */
  readonly maxStepsOfCall?: number;
  /** As for `runner.step`. */
  readonly deadline?: number;
  /**
   * As for `runner.step`. With the `runId` of a turn that is under way, what failed in it is not tried again; and a checkpointer
   * that can't be reached is not waited for, since who makes the attempts makes this one too.
   */
  readonly onFailure?: JudgeFailure;
}

/** Options of `runner.continue`. */
export interface ContinueOptions extends RunOptions {
  /** Answer just these timers and expiries as being due. @default those whose time is over by the runner's clock */
  readonly due?: readonly string[];
}

/** Options of `runner.cancel`. */
export interface CancelOptions {
  /** As in the calls that run nodes. @default nobody */
  readonly owner?: ThreadOwner;
}

/** Options of `runner.step`. */
export interface StepOptions extends CallOptions {
  /** Ids of the ready tasks to run. Those that were finished meanwhile are skipped. @default none: only commits a finished superstep */
  readonly tasks?: readonly string[];
  /** Supersteps this call may run, the present one among them. @default 1 */
  readonly maxSteps?: number;
  /** No further superstep is begun from here on, in milliseconds since the epoch. */
  readonly deadline?: number;
  /** As for `runner.start`. @default true */
  readonly values?: boolean;
  /**
   * Decides about each task that fails, for a caller that makes the attempts itself: "retry" stores nothing of the failure, so
   * that the task stays ready and its error handler has not its turn yet; "fail" stores it. Neither LangGraph's
   * `retryPolicy` of the node nor `withPolicies({ retry })` then tries it again within the call.
   * @default the rules of the node decide, and try again within the call
   */
  readonly onFailure?: JudgeFailure;
}

/** Keys with which LangGraph and the runner drive: an answer or a checkpoint given there would go past the runner's rules. */
function isReserved(key: string): boolean {
  return /^__(?:pregel|perdure)_|^checkpoint_(?:id|ns|map)$/u.test(key);
}

/** The limit of supersteps of a run for which nobody set one. */
export const DEFAULT_MAX_STEPS = 10_000;

/** Beyond it, which is 24.8 days, Node's timers fire at once. */
const LONGEST_TIMER_MS = 2_147_483_647;
const COUNT = z.number().int().min(1);
const TEXT = z.string().min(1);
const OWNER = z.strictObject({ engine: TEXT, name: TEXT, runId: TEXT });
const FIELDS = {
  callbacks: z.custom<object>((value) => typeof value === "object" && value !== null),
  configurable: z.record(z.string(), z.unknown()).superRefine((configurable, context) => {
    for (const key of Object.keys(configurable)) {
      if (isReserved(key)) context.addIssue({ code: "custom", path: [key], message: "is the runner's own" });
    }
  }),
  context: z.record(z.string(), z.unknown()),
  deadline: z.number(),
  due: z.array(z.string()),
  maxConcurrency: COUNT,
  maxSteps: COUNT,
  maxStepsOfCall: COUNT,
  drive: z.boolean(),
  metadata: z.record(z.string(), z.unknown()),
  onFailure: z.function(),
  owner: OWNER,
  runId: TEXT,
  signal: z.instanceof(AbortSignal),
  supersede: z.boolean(),
  tags: z.array(z.string()),
  tasks: z.array(z.string()),
  values: z.boolean(),
  whenBusy: z.enum(["reject", "enqueue"]),
};
const CALL = ["callbacks", "configurable", "context", "maxConcurrency", "metadata", "owner", "signal", "tags"] as const;
const RUN = [...CALL, "drive", "maxSteps", "whenBusy"] as const;
const SCHEMAS = {
  start: schemaOf([...RUN, "deadline", "maxStepsOfCall", "onFailure", "runId", "supersede", "values"]),
  resume: schemaOf(RUN),
  continue: schemaOf([...RUN, "due"]),
  signal: schemaOf(RUN),
  step: schemaOf([...CALL, "deadline", "maxSteps", "onFailure", "tasks", "values"]),
  history: z.strictObject({ limit: COUNT.optional(), before: TEXT.optional() }),
  fork: z.strictObject({ checkpointId: TEXT, repeatFinished: z.boolean().optional(), owner: OWNER.optional() }),
  update: z.strictObject({ asNode: TEXT.optional(), owner: OWNER.optional() }),
  claim: z.strictObject({ owner: OWNER, takeOver: z.boolean().optional() }),
  cancel: z.strictObject({ owner: OWNER.optional() }),
  release: z.strictObject({ owner: OWNER }),
};
const SIGNAL = z.strictObject({ name: TEXT, payload: z.unknown().optional(), id: TEXT.optional() });
const RUNNER = z.strictObject({
  name: TEXT,
  checkpointer: z.unknown().optional(),
  now: z.function().optional(),
  reconnectTimeoutMs: z.number().int().min(0).max(LONGEST_TIMER_MS).optional(),
});

/** Refuses options that a call does not have, or that do not fit. */
export function checkOptions(call: keyof typeof SCHEMAS, options: object): void {
  parseOptions(`runner.${call}`, SCHEMAS[call], options);
}

/** Refuses what is no signal. */
export function checkSignal(signal: object): void {
  parseOptions("runner.signal", SIGNAL, signal);
}

/** Refuses what is no reason to cancel. */
export function checkReason(reason: unknown): void {
  parseOptions("runner.cancel", z.string(), reason);
}

/** Refuses what a runner can't be made with; the checkpointer has an error of its own. */
export function checkRunnerOptions(options: object): void {
  parseOptions("createRunner", RUNNER, options);
}

/** Refuses what can't name a thread. */
export function checkThreadId(threadId: unknown): void {
  if (typeof threadId === "string" && threadId !== "" && !threadId.includes("\0") && threadId.isWellFormed()) return;
  throw new PerdureError(
    "OPTIONS_INVALID",
    `A thread_id is well-formed text that is not empty, not ${show(threadId)}.`,
    {
      hint: 'Pass one such as "case-42".',
    },
  );
}

/** The part of the options that goes to the nodes. */
export function driveConfig(options: CallOptions, runName: string): DriveConfig {
  const { configurable, context, metadata, callbacks, tags } = options;
  return {
    runName,
    ...(configurable === undefined ? {} : { configurable }),
    ...(context === undefined ? {} : { context }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(callbacks === undefined ? {} : { callbacks }),
    ...(tags === undefined ? {} : { tags }),
  };
}

function schemaOf(names: readonly (keyof typeof FIELDS)[]) {
  return z.strictObject(Object.fromEntries(names.map((name) => [name, FIELDS[name].optional()])));
}
