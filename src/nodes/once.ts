import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { z } from "zod";
import { parseOptions, PerdureError } from "../errors/index.ts";
import { originalScratchpad } from "./attempt.ts";
import { idempotencyKey } from "./idempotency-key.ts";
import { onceTx } from "./once-tx.ts";
import { NEVER, OnceKey, onceHome, refuseInterrupt, setOnceHome } from "./once-work.ts";
import type { OnceContext } from "./once-work.ts";
import { callTask, checkpointerOf, currentConfig, scratchpadOf, storeReturn, taskIdentity } from "./running-task.ts";
import type { Scratchpad } from "./running-task.ts";
import { asStored } from "./stored-form.ts";

/** What is stored of one try: LangGraph's record of a task that returned this. */
type OnceRecord = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: string };

/** Work under way or done, by task and key, so that asking for it twice at the same time starts it once. */
const started = new WeakMap<Scratchpad, Map<string, Work>>();

interface Work {
  readonly result: Promise<unknown>;
  /** The signal it was given. */
  readonly signal: AbortSignal;
}

/**
 * Runs `fn` at most once in the running task and returns its result, also when the node runs again: after
 * an interrupt, in a retry, after a crash, in another process (H5). The result is stored before `once`
 * returns. The key belongs to the task: the same key again gives the first result, whatever `fn` is.
 *
 * - A `fn` that throws has no result: the error goes through, and the next attempt runs it again.
 * - A crash between the effect and its record repeats the effect; hand `idempotencyKey` on to make that harmless.
 * - The result comes back as the checkpointer stores it, the first time too: a Date as a string, for example.
 * - `fn` can't ask: an interrupt inside it is refused. Ask first, then do.
 * - Calls with different keys may run in parallel, and `once` may stand inside `once`: the key belongs to the node's task there too.
 * - LangChain's own `ToolNode` runs several tool calls in one task: put the id of the call into the key there.
 *
 * Stands on LangGraph's `task`, so the streams of LangGraph show it as a task named `once(<key>)`. Without a
 * checkpointer the result is kept for as long as the run lasts.
 *
 * @throws PerdureError `OUTSIDE_GRAPH`, `OPTIONS_INVALID` (key), `VALUE_UNSERIALIZABLE` (result), `ONCE_INTERRUPTED`
 *
 * @example
 * const receipt = await once("charge", ({ idempotencyKey }) => payments.charge(order, { idempotencyKey }));
 */
export async function once<T>(key: string, fn: (context: OnceContext) => T | Promise<T>): Promise<T> {
  parseOptions("once", z.object({ key: OnceKey, fn: z.function() }), { key, fn });
  return recordedOnce(currentConfig("once"), `once(${encodeURIComponent(key)})`, key, fn);
}

/** See {@link onceTx}: the effect is statements in the checkpointer's own database, and happens exactly once. */
once.tx = onceTx;

/** {@link once} under any name for the task; for what this library itself must know again. */
export async function recordedOnce<T>(
  within: LangGraphRunnableConfig,
  taskName: string,
  key: string,
  fn: (context: OnceContext) => T | Promise<T>,
): Promise<T> {
  const { config, inside } = onceHome(within);
  if (inside.includes(taskName)) throw insideOfItself(key);
  const scratchpad = originalScratchpad(scratchpadOf(config) as Scratchpad);
  let calls = started.get(scratchpad);
  if (calls === undefined) started.set(scratchpad, (calls = new Map()));
  const signal = config.signal ?? NEVER;
  const running = calls.get(taskName);
  if (running !== undefined) {
    return running.result.catch((error: unknown) => {
      // an attempt that was given up may still be at it, and stop because it was told to
      if (running.signal.aborted && !signal.aborted) return recordedOnce(within, taskName, key, fn);
      throw error;
    }) as Promise<T>;
  }
  const result = firstResult(config, scratchpad, taskName, key, (context) => {
    setOnceHome(currentConfig("once"), { config, inside: [...inside, taskName] });
    return fn(context);
  });
  calls.set(taskName, { result, signal });
  result.catch(() => calls.delete(taskName));
  return result;
}

/**
 * Failed tries are recorded too, each under its own number: a LangGraph task that fails takes the whole
 * superstep with it, even where the node catches its error, so the task must return.
 */
async function firstResult<T>(
  config: LangGraphRunnableConfig,
  scratchpad: Scratchpad,
  taskName: string,
  key: string,
  fn: (context: OnceContext) => T | Promise<T>,
): Promise<T> {
  const { threadId, taskId } = taskIdentity(config);
  const context: OnceContext = {
    idempotencyKey: idempotencyKey(threadId, taskId, "once", taskName),
    signal: config.signal ?? NEVER,
  };
  for (let index = 0; ; index += 1) {
    context.signal.throwIfAborted();
    let failure: { readonly error: unknown } | undefined;
    const record = await callTask(config, scratchpad, taskName, index, async (): Promise<OnceRecord> => {
      let result: OnceRecord;
      try {
        result = {
          ok: true,
          value: await asStored(await fn(context), checkpointerOf(config), `The result of once "${key}"`),
        };
      } catch (error) {
        failure = { error };
        result = { ok: false, error: String(error) };
      }
      await storeReturn("once", result);
      return result;
    });
    if (failure !== undefined) throw refuseInterrupt(failure.error, "once", key);
    context.signal.throwIfAborted(); // what was cancelled while it was stored may not be stored
    if (record === undefined) {
      throw new PerdureError("GRAPH_UNSUPPORTED", `LangGraph did not run once "${key}".`, {
        hint: 'Name the nodes in interruptBefore and interruptAfter instead of "*": they stop at what a node calls, too.',
      });
    }
    if (record.ok) return record.value as T;
  }
}

/** It would wait for itself. */
function insideOfItself(key: string): PerdureError {
  return new PerdureError("OPTIONS_INVALID", `once "${key}" stands inside of once "${key}".`, {
    hint: "Give the inner one a key of its own.",
  });
}
