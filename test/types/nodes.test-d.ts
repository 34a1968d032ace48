import type { AIMessage, ToolMessage } from "@langchain/core/messages";
import { Annotation, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import type { Command, LangGraphRunnableConfig } from "@langchain/langgraph";
import type { ChatOpenAI } from "@langchain/openai";
import {
  approval,
  budgetChannel,
  decisionsChannel,
  effect,
  getIdempotencyKey,
  modelNode,
  once,
  requestApproval,
  sleep,
  toolNode,
  usageChannel,
  waitForSignal,
  withPolicies,
} from "perdure/nodes";
import type {
  Decision,
  DecisionRecord,
  Escalation,
  OnceCommitter,
  OncePlace,
  Spending,
  TransactionSql,
  Usage,
} from "perdure/nodes";
import { expectTypeOf, test } from "vitest";
import { z } from "zod";

declare const model: ChatOpenAI;

/** What libraries over pg ask for. */
interface PgQueryable {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  amount: Annotation<number>(),
  weather: Annotation<{ celsius: number }>(),
  usage: usageChannel(),
  budget: budgetChannel(),
  decisions: decisionsChannel(),
});
type S = typeof State.State;
/** What a node of this state is; `addNode` itself looks less closely. */
type Node = (state: S, config: LangGraphRunnableConfig) => Promise<typeof State.Update>;

test("the channels have the types they hold", () => {
  expectTypeOf<S["usage"]>().toEqualTypeOf<Usage>();
  expectTypeOf<S["budget"]>().toEqualTypeOf<Spending>();
  expectTypeOf<S["decisions"]>().toEqualTypeOf<readonly DecisionRecord[]>();
});

test("modelNode writes to the channels it names, and its output is what the schema says", () => {
  const plain = modelNode({ model });
  expectTypeOf<Awaited<ReturnType<typeof plain>>>().toEqualTypeOf<
    Record<"messages", AIMessage[]> & Record<"usage", Usage> & object
  >();

  const structured = modelNode({
    model,
    output: z.object({ celsius: z.number() }),
    outputKey: "weather",
    messagesKey: "talk",
  });
  type Update = Awaited<ReturnType<typeof structured>>;
  expectTypeOf<Update["weather"]>().toEqualTypeOf<{ celsius: number }>();
  expectTypeOf<keyof Update>().toEqualTypeOf<"talk" | "usage" | "weather">();
});

test("modelNode is a node of a graph whose state has its channels; the prompt reads that state", () => {
  new StateGraph(State)
    .addNode("plain", modelNode({ model, prompt: (state: S) => [...state.messages] }))
    .addNode("weather", modelNode({ model, output: z.object({ celsius: z.number() }), outputKey: "weather" }))
    .addEdge(START, "plain");

  const wrong = modelNode({ model, output: z.object({ celsius: z.string() }), outputKey: "weather" });
  expectTypeOf(modelNode({ model, output: z.object({ celsius: z.number() }), outputKey: "weather" })).toExtend<Node>();
  expectTypeOf(wrong).not.toExtend<Node>();
  // @ts-expect-error a prompt function returns messages
  modelNode({ model, prompt: () => 7 });
  // @ts-expect-error a model is needed
  modelNode({});
  // @ts-expect-error the output is an object
  modelNode({ model, output: z.string() });
});

test("toolNode takes one call and gives its message under the key it names, or the tool's Command", () => {
  const node = toolNode({ tools: [], messagesKey: "talk" });
  expectTypeOf(node).returns.resolves.toEqualTypeOf<Record<"talk", ToolMessage[]> | Command>();
  expectTypeOf(node).parameter(0).toHaveProperty("toolCall");
  // @ts-expect-error a policy is "tell", "throw" or a function
  toolNode({ tools: [], onError: "ignore" });
});

test("approval goes only to the nodes it names, and reads the state it is given", () => {
  const ask = approval({
    actions: (state: S) => [{ name: "refund", args: { amount: state.amount } }],
    expiresInMs: 1_000,
    onExpiry: { escalateTo: "bob", onExpiry: "call" },
    onApprove: "refund",
    onReject: "explain",
    update: () => ({ amount: 0 }),
  });
  expectTypeOf(ask.options.ends).toEqualTypeOf<("refund" | "explain" | "call")[] | undefined>();
  expectTypeOf(ask).parameter(0).toEqualTypeOf<S>();

  new StateGraph(State)
    .addNode("refund", () => ({}))
    .addNode("explain", () => ({}))
    .addNode("call", () => ({}))
    .addNode("ask", ask, ask.options);
  const lacking = new StateGraph(State).addNode("refund", () => ({}));
  // @ts-expect-error there is no state key `amout`
  lacking.addNode("ask", approval({ actions: (state: S) => [{ name: "refund", args: { amount: state.amout } }] }));
});

test("requestApproval gives decisions to tell apart by their type, and the node that onExpiry names", async () => {
  const result = await requestApproval({ actions: [{ name: "a", args: {} }], expiresInMs: 1, onExpiry: "call" });
  expectTypeOf(result.goto).toEqualTypeOf<"call" | undefined>();
  const escalated = await requestApproval({
    actions: [],
    expiresInMs: 1,
    onExpiry: { escalateTo: "bob", onExpiry: "call" },
  });
  expectTypeOf(escalated.goto).toEqualTypeOf<"call" | undefined>();
  const never = await requestApproval({ actions: [], expiresInMs: 1, onExpiry: { escalateTo: "bob" } });
  expectTypeOf(never.goto).toEqualTypeOf<undefined>();
  const declared: Escalation<"call"> = { escalateTo: "bob" };
  const passedOn = await requestApproval({ actions: [], expiresInMs: 1, onExpiry: declared });
  expectTypeOf(passedOn.goto).toEqualTypeOf<"call" | undefined>();
  const [decision] = result.decisions;
  expectTypeOf(decision).toEqualTypeOf<Decision | undefined>();
  if (decision?.type === "edit") expectTypeOf(decision.editedAction.name).toEqualTypeOf<string>();
  // @ts-expect-error only an edit has an edited action
  if (decision?.type === "approve") void decision.editedAction;
  // @ts-expect-error a decision is approve, edit or reject
  await requestApproval({ actions: [{ name: "a", args: {}, allowedDecisions: ["defer"] }] });
});

test("waitForSignal gives what the schema parses to; undefined only when that is asked for", () => {
  const schema = z.object({ at: z.coerce.date() });
  expectTypeOf(waitForSignal("a", schema)).resolves.toEqualTypeOf<{ at: Date }>();
  expectTypeOf(waitForSignal("a", schema, { expiresInMs: 1 })).resolves.toEqualTypeOf<{ at: Date }>();
  expectTypeOf(waitForSignal("a", schema, { expiresInMs: 1, onExpiry: "undefined" })).resolves.toEqualTypeOf<
    { at: Date } | undefined
  >();
  // @ts-expect-error an expiry is "throw" or "undefined"
  void waitForSignal("a", schema, { onExpiry: "null" });
});

test("once gives what its function gives; sleep gives nothing", () => {
  expectTypeOf(once("a", () => 1)).resolves.toEqualTypeOf<number>();
  expectTypeOf(once("a", async ({ idempotencyKey }) => idempotencyKey)).resolves.toEqualTypeOf<string>();
  expectTypeOf(sleep(1)).resolves.toEqualTypeOf<void>();
  expectTypeOf(getIdempotencyKey()).toEqualTypeOf<string>();
  // @ts-expect-error a key is text
  void once(1, () => 1);
});

test("once.tx gives what its function gives, and its statements have the rows they are said to have", () => {
  expectTypeOf(once.tx("a", () => 1)).resolves.toEqualTypeOf<number>();
  expectTypeOf(once.tx("a", async (_sql, { idempotencyKey }) => idempotencyKey)).resolves.toEqualTypeOf<string>();
  const rows = once.tx("a", async (sql) => {
    expectTypeOf(sql).toEqualTypeOf<TransactionSql>();
    const { rows } = await sql.query<{ cents: number }>("SELECT cents FROM accounts WHERE id = $1", [7]);
    return rows;
  });
  expectTypeOf(rows).resolves.toEqualTypeOf<{ cents: number }[]>();
  expectTypeOf<TransactionSql>().toExtend<Pick<PgQueryable, "query">>();
  expectTypeOf(once.tx("a", () => 1, { timeoutMs: 1_000 })).resolves.toEqualTypeOf<number>();
  // @ts-expect-error a key is text
  void once.tx(1, () => 1);
  // @ts-expect-error there is no such option
  void once.tx("a", () => 1, { timeout: 1 });
});

test("what commits once for once.tx is given a place and the work, and gives back what is stored", () => {
  const committer: OnceCommitter = {
    commitOnce: async ({ threadId, taskId, key, epoch, signal }, work) => {
      expectTypeOf([threadId, taskId, key]).toEqualTypeOf<string[]>();
      expectTypeOf(epoch).toEqualTypeOf<number | undefined>();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      return work({ query: async () => ({ rows: [] }) });
    },
  };
  expectTypeOf(committer.commitOnce).parameter(0).toEqualTypeOf<OncePlace>();
  expectTypeOf(committer.commitOnce).returns.resolves.toEqualTypeOf<unknown>();
  // @ts-expect-error the work is given the transaction's statements
  const idle: OnceCommitter = { commitOnce: (_place, work) => work() };
  void idle;
});

test("withPolicies keeps the node's type", () => {
  const node = async (state: S, config: LangGraphRunnableConfig) => ({
    amount: state.amount + Number(config.signal?.aborted),
  });
  const retried = withPolicies(node, { retry: true, timeoutMs: 1 });
  expectTypeOf(retried).toEqualTypeOf<(state: S, config: LangGraphRunnableConfig) => Promise<{ amount: number }>>();

  new StateGraph(State)
    .addNode("node", retried)
    .addNode("model", withPolicies(modelNode<S>({ model }), { breaker: true }));
  expectTypeOf(retried).toExtend<Node>();
  expectTypeOf(withPolicies(() => ({ amount: "7" }), { retry: true })).not.toExtend<Node>();
  // @ts-expect-error there is no such rule
  withPolicies(node, { retries: 3 });
});

test("withPolicies adds what onExceeded gives, or the way to the node it names", () => {
  const node = (state: S) => ({ amount: state.amount });
  const instead = withPolicies(node, {
    budget: { tokens: 1, onExceeded: (excess, state) => ({ weather: { celsius: excess.max + state.amount } }) },
  });
  expectTypeOf(instead).returns.resolves.toEqualTypeOf<{ amount: number } | { weather: { celsius: number } }>();
  const away = withPolicies(node, { budget: { tokens: 1, onExceeded: "stop" } });
  expectTypeOf(away).returns.resolves.toEqualTypeOf<{ amount: number } | Command<unknown, never, "stop">>();

  new StateGraph(State)
    .addNode("instead", instead)
    .addNode("stop", node)
    .addNode("away", away, { ends: ["stop"] });
});

test("an effect is none, idempotent or irreversible, and goes beside addNode's other options", () => {
  new StateGraph(State).addNode("refund", () => ({}), {
    ...effect("irreversible", { compensate: "undo" }),
    retryPolicy: {},
  });
  // @ts-expect-error no such effect
  effect("permanent");
});
