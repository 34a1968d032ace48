import { Annotation } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { once } from "perdure/nodes";
import type { DrivableGraph, Runner, ThreadState } from "perdure/runner";
import type { Seen } from "./account.ts";

/** A graph, and the calls of one whole run of it. */
export interface Scenario {
  readonly name: string;
  readonly graph: (world: World) => DrivableGraph;
  /** In order; each can be made again when its result was not heard. */
  readonly moves: readonly (readonly [name: string, move: Move])[];
}

/** What the nodes tell the world outside of the graph, and what they see of it. */
export interface World {
  began(threadId: string, task: { task: string; node: string; checkpoint: string }): Promise<void>;
  effect(threadId: string, what: string, key: string): Promise<void>;
  isRepaired(threadId: string): boolean;
}

/** What a client makes a move with. */
export interface Client {
  readonly threadId: string;
  readonly runner: Pick<
    Runner<{ log: string[] }, unknown, string>,
    "start" | "resume" | "signal" | "continue" | "cancel" | "inspect" | "history"
  >;
  /** What its last move came to. */
  readonly known: Seen;
  /** Repairs what is broken outside of the graph. */
  readonly repair: () => Promise<void>;
}

export type Move = (client: Client) => Promise<Pick<ThreadState<unknown>, "status" | "interrupts"> | undefined>;

/** A channel of lines. */
export function lines() {
  return Annotation<string[], string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] });
}

/** A node that tells when it begins, and writes one line to a channel. */
export function told<S>(
  world: World,
  name: string,
  run: (state: S, threadId: string) => string | Promise<string>,
  channel: "log" | "label" = "log",
) {
  return async (state: S, config: LangGraphRunnableConfig): Promise<object> => {
    const { taskId = "", checkpointId = "", threadId = "" } = config.executionInfo ?? {};
    await world.began(threadId, { task: taskId, node: name, checkpoint: checkpointId });
    return { [channel]: [await run(state, threadId)] };
  };
}

/** Does something to the world outside, which must happen once. */
export function effect(world: World, threadId: string, what: string): Promise<string> {
  return once(what, async ({ idempotencyKey }) => {
    await world.effect(threadId, what, idempotencyKey);
    return what;
  });
}

/** Answers the interrupt of a node, by the id that the client has seen. */
export function answer(node: string, given: unknown): Move {
  return ({ runner, threadId, known }) => runner.resume(threadId, { [idOf(known, node)]: given });
}

/** The id of the one interrupt that a node has open, as far as the client knows. */
export function idOf(known: Seen, node: string): string {
  const found = known.interrupts.filter((interrupt) => interrupt.node === node);
  if (found.length !== 1) throw new Error(`${node} asks ${found.length} questions: ${JSON.stringify(known)}`);
  return found[0]?.id ?? "";
}
