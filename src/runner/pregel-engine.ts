import { AsyncLocalStorageProviderSingleton } from "@langchain/core/singletons";
import { InvalidUpdateError } from "@langchain/langgraph";
import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { Checkpointer } from "../checkpoint/index.ts";
import { PerdureError } from "../errors/index.ts";
import { CLOCK_KEY, INPUT_STEP_KEY } from "../nodes/index.ts";
import type { CheckpointView, DriveRequest, Engine } from "./engine.ts";
import type { DriveSaver } from "./drive-saver.ts";
import { missingNodes } from "./missing-nodes.ts";
import type { GraphNames } from "./missing-nodes.ts";
import { PREGEL_KEY, START_NODE, namesOf, snapshot, toPregel, withNodes, withoutRetries } from "./pregel.ts";
import type { FlatChunk, PregelLike, StreamChunk } from "./pregel.ts";
import { GATE_KEY, gated } from "./task-gate.ts";

/** The engine that drives a graph with LangGraph's own Pregel. */
export class PregelEngine implements Engine {
  readonly #pregel: PregelLike;
  #withoutRetries: PregelLike | undefined;
  readonly #checkpointer: Checkpointer;
  readonly #names: GraphNames;
  readonly inputSupersteps: 0 | 1;
  readonly maxConcurrency: number | undefined;
  readonly interruptBefore: (node: string) => boolean;
  readonly interruptAfter: ((node: string) => boolean) | undefined;

  constructor(graph: unknown, checkpointer: Checkpointer) {
    const pregel = toPregel(graph);
    this.#pregel = withNodes(pregel, checkpointer, (name, node, run) =>
      gated({ name, node, run, stepTimeout: pregel.stepTimeout }),
    );
    this.#checkpointer = checkpointer;
    this.#names = namesOf(pregel);
    this.inputSupersteps = START_NODE in pregel.nodes ? 1 : 0;
    this.maxConcurrency = pregel.config?.maxConcurrency;
    this.interruptBefore = listed(pregel.interruptBefore);
    this.interruptAfter = (pregel.interruptAfter?.length ?? 0) > 0 ? listed(pregel.interruptAfter) : undefined;
  }

  output(values: unknown): unknown {
    const { outputChannels } = this.#pregel;
    if (typeof outputChannels === "string" || typeof values !== "object" || values === null) return values;
    return Object.fromEntries(Object.entries(values).filter(([channel]) => outputChannels.includes(channel)));
  }

  missingNodes(head: CheckpointTuple): readonly string[] {
    return missingNodes(this.#names, head);
  }

  drive(request: DriveRequest): Promise<void> {
    // a runner called inside a node of another graph must not become a subgraph of it
    return AsyncLocalStorageProviderSingleton.getInstance().run(undefined, () => this.#stream(request));
  }

  async #stream({
    threadId,
    input,
    inputStep,
    now,
    maxSupersteps,
    endsAfter,
    saver,
    gate,
    config,
    sink,
  }: DriveRequest): Promise<void> {
    const { configurable, ...rest } = config;
    const { modes = [], subgraphs = true } = sink ?? {};
    const pregel = gate.judge === undefined ? this.#pregel : (this.#withoutRetries ??= withoutRetries(this.#pregel));
    const stream = await pregel.stream(input === undefined ? null : input.value, {
      ...rest,
      configurable: {
        ...configurable,
        thread_id: threadId,
        [PREGEL_KEY.checkpointer]: saver,
        [GATE_KEY]: gate,
        [INPUT_STEP_KEY]: inputStep,
        [CLOCK_KEY]: now,
      },
      durability: "sync",
      maxConcurrency: Infinity, // the gate bounds it
      recursionLimit: Math.max(1, maxSupersteps),
      signal: gate.signal,
      streamMode: modes,
      subgraphs,
      ...(endsAfter === undefined || sink !== undefined || this.interruptAfter !== undefined
        ? {}
        : { interruptAfter: afterCommitOf(endsAfter, saver) }),
    });
    for await (const shown of stream) {
      const chunk: StreamChunk = subgraphs ? (shown as StreamChunk) : [[], ...(shown as FlatChunk)];
      if (chunk[1] === "updates") await saver.stored(); // who hears of a result may count on it
      sink?.push(chunk);
    }
  }

  view(tuple: CheckpointTuple, options: { readonly applyFinished: boolean }): Promise<CheckpointView> {
    return snapshot(this.#pregel, tuple, { ...options, saver: this.#checkpointer });
  }

  async update(saver: DriveSaver, threadId: string, values: unknown, asNode: string | undefined): Promise<void> {
    try {
      await this.#pregel.updateState(configFor(saver, threadId), values, asNode);
    } catch (cause) {
      if (!(cause instanceof InvalidUpdateError)) throw cause;
      throw new PerdureError("OPTIONS_INVALID", `Thread "${threadId}" can't be updated so: ${cause.message}`, {
        hint: "Pass part of the state, and as asNode a node of the graph. Nothing was changed.",
        cause,
      });
    }
  }

  async copy(saver: DriveSaver, threadId: string, checkpointId: string): Promise<void> {
    await this.#pregel.updateState(configFor(saver, threadId, checkpointId), null, "__copy__");
  }
}

/**
 * A breakpoint after every node of one superstep and of those after it. LangGraph asks it after each commit, and would
 * otherwise prepare and begin tasks that the gate then refuses.
 */
function afterCommitOf(step: number, saver: DriveSaver): string[] {
  return Object.assign([], { includes: () => (saver.left?.metadata?.step ?? -Infinity) >= step });
}

function configFor(saver: DriveSaver, threadId: string, checkpointId?: string) {
  return {
    configurable: {
      thread_id: threadId,
      [PREGEL_KEY.checkpointer]: saver,
      ...(checkpointId === undefined ? {} : { checkpoint_id: checkpointId }),
    },
  };
}

function listed(nodes: readonly string[] | "*" | undefined): (node: string) => boolean {
  if (nodes === undefined) return () => false;
  return nodes === "*" ? () => true : (node) => nodes.includes(node);
}
