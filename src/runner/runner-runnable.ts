import { Runnable } from "@langchain/core/runnables";
import type { RunnableConfig } from "@langchain/core/runnables";
import type { IterableReadableStream } from "@langchain/core/utils/stream";
import { isCommand } from "@langchain/langgraph";
import type { Command } from "@langchain/langgraph";
import { PerdureError } from "../errors/index.ts";
import type { Answers } from "./answers.ts";
import type { DriveWatch, Driven } from "./drive-once.ts";
import type { Driver } from "./driver.ts";
import { isInsideGraph } from "./pregel.ts";
import type { StreamChunk } from "./pregel.ts";
import type { RunOptions } from "./run-options.ts";
import { checkOptions, checkThreadId } from "./run-options.ts";
import { whileDriving } from "./stream-events.ts";
import type { ThreadOperations } from "./thread-operations.ts";
import { graphChanged } from "./missing-nodes.ts";
import { toThreadState } from "./thread-view.ts";

/** The keys LangGraph adds to a Runnable's config for streaming. */
interface StreamConfig extends RunnableConfig {
  readonly streamMode?: string | readonly string[];
  readonly subgraphs?: boolean;
  readonly context?: Readonly<Record<string, unknown>>;
}

/**
 * A runner in the clothes of a compiled graph. `recursionLimit` is not looked at: LangChain fills it
 * in where nobody gave it; the limit of a run is the runner's `maxSteps`.
 */
export class RunnerRunnable<Input, Output> extends Runnable<Input | Command | null, Output> {
  static override lc_name(): string {
    return "PerdureRunner";
  }

  override lc_namespace = ["perdure", "runner"];
  override lc_serializable = false;
  readonly #driver: Driver;
  readonly #threads: ThreadOperations;

  constructor(driver: Driver, threads: ThreadOperations, name: string) {
    super();
    this.#driver = driver;
    this.#threads = threads;
    this.name = name;
  }

  override async invoke(input: Input | Command | null, config: StreamConfig = {}): Promise<Output> {
    return this.#outputOf(await this.#drive(input, config, config.signal, undefined)) as Output;
  }

  /**
   * Streams as a compiled graph does, in the modes of `config.streamMode`. @default "updates"
   * LangChain's own `stream` can't be left while it waits for the next chunk; this one can.
   */
  override stream(input: Input | Command | null, config?: StreamConfig): Promise<IterableReadableStream<Output>> {
    return Promise.resolve(this.#stream(input, config));
  }

  /** What LangChain streams from where the runner is a part of a chain. */
  override async *_streamIterator(input: Input | Command | null, config?: StreamConfig): AsyncGenerator<Output> {
    yield* this.#stream(input, config);
  }

  #stream(input: Input | Command | null, config: StreamConfig = {}): IterableReadableStream<Output> {
    const { streamMode = "updates", subgraphs = false } = config;
    const modes = typeof streamMode === "string" ? [streamMode] : streamMode;
    const shape = ([namespace, mode, payload]: StreamChunk): unknown => {
      const parts = [...(subgraphs ? [namespace] : []), ...(typeof streamMode === "string" ? [] : [mode]), payload];
      return parts.length === 1 ? payload : parts;
    };
    return whileDriving<Output>(config.signal, async (signal, emit) => {
      const push = (chunk: StreamChunk): void => {
        if (!isOurs(chunk)) emit(shape(chunk) as Output);
      };
      const watch: DriveWatch = {
        sink: { modes, subgraphs, push },
        started: () => {},
        ended: () => {},
        asked: () => {},
      };
      const output = this.#outputOf(await this.#drive(input, config, signal, watch));
      for (const mode of modes.filter((name) => name === "updates" || name === "values")) {
        if (isInterrupted(output)) emit(shape([[], mode, { __interrupt__: output.__interrupt__ }]) as Output);
      }
    });
  }

  async #drive(
    input: Input | Command | null,
    config: StreamConfig,
    signal: AbortSignal | undefined,
    watch: DriveWatch | undefined,
  ): Promise<Driven> {
    const {
      thread_id: threadId,
      checkpoint_id: checkpointId,
      checkpoint_ns: _ns,
      ...configurable
    } = config.configurable ?? {};
    checkThreadId(threadId);
    if (isInsideGraph(config)) {
      throw new PerdureError("GRAPH_UNSUPPORTED", `The runner "${this.name}" can't be a node of another graph.`, {
        hint: "Add the graph itself as the node: LangGraph keeps its state in the thread of the outer graph.",
      });
    }
    if (checkpointId !== undefined) {
      throw new PerdureError(
        "OPTIONS_INVALID",
        `Thread "${threadId}" can't be driven from checkpoint_id "${checkpointId}".`,
        {
          hint: "Make it the head with runner.fork first.", // H16
        },
      );
    }
    checkOptions("resume", { configurable });
    const signals = [signal, config.timeout === undefined ? undefined : AbortSignal.timeout(config.timeout)];
    const options: RunOptions = {
      configurable,
      signal: AbortSignal.any(signals.filter((one) => one !== undefined)),
      ...(config.context === undefined ? {} : { context: config.context }),
      ...(config.metadata === undefined ? {} : { metadata: config.metadata }),
      ...(config.callbacks === undefined ? {} : { callbacks: config.callbacks }),
      ...(config.tags === undefined ? {} : { tags: config.tags }),
      ...(config.maxConcurrency === undefined ? {} : { maxConcurrency: config.maxConcurrency }),
    };
    if (isCommand(input)) return this.#threads.resume(threadId, answersOf(input), options, watch);
    if (input !== null) return this.#threads.start(threadId, input, options, watch);
    const breakpoint = (await this.#driver.readExisting(threadId)).questions.find(
      ({ interrupt }) => interrupt.kind === "breakpoint",
    );
    if (breakpoint === undefined) return this.#threads.continue(threadId, options, watch);
    return this.#threads.resume(threadId, { [breakpoint.interrupt.id]: true }, options, watch);
  }

  /** What a compiled graph's `invoke` returns, or what it throws. */
  #outputOf({ view, error }: Driven): unknown {
    const state = toThreadState(view);
    if (state.status === "error" && view.missing.length > 0) throw graphChanged(state.threadId, view.missing);
    if (state.status === "error")
      throw error ?? Object.assign(new Error(state.error.message), { name: state.error.name });
    if (state.status === "cancelled") {
      throw new PerdureError("RUN_CANCELLED", `Thread "${state.threadId}" was cancelled: ${state.reason}.`, {
        hint: "Take it up again with runner.continue.",
      });
    }
    if (state.status === "ready") {
      throw new PerdureError(
        "STEP_LIMIT_REACHED",
        `Thread "${state.threadId}" stopped at step ${state.step}, unfinished.`,
        {
          hint: "Nothing is lost: go on with runner.continue and a higher maxSteps.",
        },
      );
    }
    const output = this.#driver.engine.output(state.values);
    if (state.interrupts.length === 0) return output;
    const interrupts = state.interrupts.map(({ id, value }) => ({ id, value }));
    return { ...(typeof output === "object" ? output : {}), __interrupt__: interrupts };
  }
}

/** LangGraph's `resume` is a map only when every key is an interrupt's id. */
function answersOf({ resume, update, goto }: Command): Answers {
  const goes = Array.isArray(goto) ? goto.length > 0 : goto !== undefined;
  if (resume === undefined || update !== undefined || goes) {
    throw new PerdureError("OPTIONS_INVALID", "A Command as an input can only resume.", {
      hint: "Use runner.update to change the state.",
    });
  }
  const keys = typeof resume === "object" && resume !== null ? Object.keys(resume) : [];
  const isMap = keys.length > 0 && keys.every((key) => /^[0-9a-f]{32}$/.test(key));
  return isMap ? (resume as Readonly<Record<string, unknown>>) : { answer: resume };
}

function isInterrupted(output: unknown): output is { __interrupt__: unknown } {
  return typeof output === "object" && output !== null && "__interrupt__" in output;
}

/** What we tell ourselves, with the right ids, or what LangGraph repeats of an earlier call. */
function isOurs([, mode, payload]: StreamChunk): boolean {
  if ((mode !== "updates" && mode !== "values") || typeof payload !== "object" || payload === null) return false;
  if ("__interrupt__" in payload) return true;
  return mode === "updates" && "__metadata__" in payload;
}
