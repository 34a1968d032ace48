import { Annotation, END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type { Script } from "./script.ts";

/** How a conversation goes. */
export interface ConversationOptions {
  /** Messages of a thread that began empty, and so the steps it takes. */
  readonly steps: number;
  /**
   * Whether the node sets the ids of its messages.
   * @default true
   */
  readonly withIds?: boolean;
}

/** A graph that says one message in each step, until so many are said; one more when they are said already. */
export function conversation(script: Script, { steps, withIds = true }: ConversationOptions) {
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("speak", ({ messages: { length: turn } }) => ({
      messages: [withIds ? script.message(turn) : script.messageWithoutId(turn)],
    }))
    .addEdge(START, "speak")
    .addConditionalEdges("speak", ({ messages }) => (messages.length < steps ? "speak" : END), ["speak", END]);
  return (checkpointer: BaseCheckpointSaver) => graph.compile({ checkpointer });
}

/** A graph that counts its steps: what they cost when the state is small. */
export function counter(steps: number) {
  const State = Annotation.Root({ count: Annotation<number> });
  const graph = new StateGraph(State)
    .addNode("add", ({ count }) => ({ count: count + 1 }))
    .addEdge(START, "add")
    .addConditionalEdges("add", ({ count }) => (count < steps ? "add" : END), ["add", END]);
  return (checkpointer: BaseCheckpointSaver) => graph.compile({ checkpointer });
}

/** How a graph is called in every case. */
export function onThread(threadId: string) {
  return { configurable: { thread_id: threadId }, durability: "sync" as const, recursionLimit: 1_000_000 };
}

/** A side that did not do the work, or lost some of it, must not look good. */
export function assertSaid(values: unknown, script: Script, turns: number): void {
  const { messages = [] } = values as Partial<typeof MessagesAnnotation.State>;
  const wrong = messages.findIndex(({ content }, turn) => content !== script.textOf(turn));
  if (messages.length !== turns) throw new Error(`There are ${messages.length} messages of ${turns}.`);
  if (wrong >= 0) throw new Error(`Message ${wrong} of ${turns} is not what was said.`);
}
