import { AIMessage } from "@langchain/core/messages";
import { Annotation, END, MessagesAnnotation, START, Send, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";

/** A graph to drive, of which it is known how much work it is. */
export interface RunnerCase {
  readonly about: string;
  readonly supersteps: number;
  readonly input: Readonly<Record<string, unknown>>;
  /** Compiles the graph, for a run without a runner with the checkpointer it uses. */
  readonly compile: (checkpointer?: BaseCheckpointSaver) => CompiledCase;
  /** Whether a run did all of it. */
  readonly isComplete: (values: unknown) => boolean;
}

/** A compiled graph, whatever its state. */
export interface CompiledCase {
  readonly "~InputType": unknown;
  readonly "~OutputType": unknown;
  invoke(input: never, options: PlainOptions): Promise<unknown>;
}

/** What a graph is invoked with when no runner drives it. */
export interface PlainOptions {
  readonly configurable: { readonly thread_id: string };
  readonly durability: "sync";
  readonly recursionLimit: number;
}

/** One node that goes round: what a superstep costs. */
export function loop(steps: number): RunnerCase {
  const State = Annotation.Root({ count: Annotation<number> });
  const graph = new StateGraph(State)
    .addNode("add", ({ count }) => ({ count: count + 1 }))
    .addEdge(START, "add")
    .addConditionalEdges("add", ({ count }) => (count < steps ? "add" : END), ["add", END]);
  return {
    about: `a loop of ${steps} steps`,
    supersteps: steps,
    input: { count: 0 },
    compile: (checkpointer) => graph.compile(checkpointer && { checkpointer }),
    isComplete: (values) => (values as typeof State.State).count === steps,
  };
}

/** A superstep of many tasks, and one more that reads what they wrote: what a task costs. */
export function fanOut(width: number): RunnerCase {
  const State = Annotation.Root({
    item: Annotation<number>,
    squares: Annotation<number[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
    sum: Annotation<number>,
  });
  const items = Array.from({ length: width }, (_, item) => item);
  const expected = items.reduce((sum, item) => sum + item * item, 0);
  const graph = new StateGraph(State)
    .addNode("square", ({ item }) => ({ squares: [item * item] }))
    .addNode("add", ({ squares }) => ({ sum: squares.reduce((sum, square) => sum + square, 0) }))
    .addConditionalEdges(START, () => items.map((item) => new Send("square", { item })), ["square"])
    .addEdge("square", "add")
    .addEdge("add", END);
  return {
    about: `a fan-out ${width} wide`,
    supersteps: 2,
    input: { sum: 0 },
    compile: (checkpointer) => graph.compile(checkpointer && { checkpointer }),
    isComplete: (values) => (values as typeof State.State).sum === expected,
  };
}

/** A loop that adds a message in each step: what a state costs that grows. */
export function messages(count: number): RunnerCase {
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("speak", (state) => {
      const turn = state.messages.length;
      return {
        messages: [new AIMessage({ id: `message-${turn}`, content: `This is what was said in turn ${turn}.` })],
      };
    })
    .addEdge(START, "speak")
    .addConditionalEdges("speak", (state) => (state.messages.length < count ? "speak" : END), ["speak", END]);
  return {
    about: `a loop of ${count} messages`,
    supersteps: count,
    input: { messages: [] },
    compile: (checkpointer) => graph.compile(checkpointer && { checkpointer }),
    isComplete: (values) => (values as typeof MessagesAnnotation.State).messages.length === count,
  };
}
