import {
  Annotation,
  Command,
  MessagesAnnotation,
  START,
  StateGraph,
  getCurrentTaskInput,
  interrupt,
} from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { MockActivityEnvironment } from "@temporalio/testing";
import { DefaultLogger } from "@temporalio/worker";
import { approval, decisionsChannel, modelNode, waitForSignal, withPolicies } from "perdure/nodes";
import { exportActivities } from "perdure/temporal/worker";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { startOpenAiServer } from "../support/openai-server.ts";
import type { OpenAiServer } from "../support/openai-server.ts";
import { TextLog } from "../support/text-log.ts";

type AnyActivity = (...args: never[]) => Promise<unknown>;

/** Runs an activity as a worker would; `left` is what the attempt before has left. */
function run<Activity extends AnyActivity>(activity: Activity, args: Parameters<Activity>, left?: unknown) {
  const environment = new MockActivityEnvironment({ heartbeatDetails: left }, { logger: new DefaultLogger("ERROR") });
  const beats: unknown[] = [];
  environment.on("heartbeat", (details: unknown) => beats.push(details));
  const result = environment.run(activity, ...args) as ReturnType<Activity>;
  return { result, environment, beats };
}

const outcome = <Activity extends AnyActivity>(activity: Activity, ...args: Parameters<Activity>) =>
  run(activity, args).result;

describe("an exported node", () => {
  it("takes a state and returns its update, with what the graph begins with where nothing is given", async () => {
    const seen: unknown[] = [];
    const State = Annotation.Root({
      title: Annotation<string>,
      notes: Annotation<string[], string | string[]>({
        reducer: (kept, added) => kept.concat(added),
        default: () => [],
      }),
    });
    const graph = new StateGraph(State)
      .addNode("read", (state) => {
        seen.push(state);
        return { notes: `read ${state.title}` };
      })
      .addNode("nothing", () => ({}))
      .addNode("goes", () => new Command({ update: { title: "gone" }, goto: "read" }), { ends: ["read"] })
      .addEdge(START, "read")
      .addEdge("read", "nothing")
      .addEdge("nothing", "goes");
    const activities = exportActivities(graph);
    expect(Object.keys(activities)).toEqual(["read", "nothing", "goes"]);
    expect(await outcome(activities.read, { title: "a" })).toEqual({ notes: "read a" });
    expect(await outcome(activities.read, { title: "b", notes: ["before"] })).toEqual({ notes: "read b" });
    expect(seen).toEqual([
      { title: "a", notes: [] },
      { title: "b", notes: ["before"] },
    ]);
    expect(await outcome(activities.nothing, {})).toEqual({});
    expect(await outcome(activities.goes, {})).toEqual({ title: "gone" });
  });

  it("that asks comes back with its question, and goes on with the answers, one question after another", async () => {
    const asks = new StateGraph(TextLog)
      .addNode("ask", () => ({ log: `${String(interrupt("first?"))} ${String(interrupt("second?"))}` }))
      .addEdge(START, "ask");
    const { ask } = exportActivities(asks);
    expect(await outcome(ask, {})).toEqual({ interrupts: [{ kind: "input", value: "first?" }] });
    expect(await outcome(ask, {}, { answers: [false] })).toEqual({ interrupts: [{ kind: "input", value: "second?" }] });
    expect(await outcome(ask, {}, { answers: [false, 0] })).toEqual({ log: "false 0" });
  });

  it("that asks for an approval takes a decision that fits, and an end of its time", async () => {
    const decide = approval({
      actions: (state: { amount: number }) => [{ name: "refund", args: { amount: state.amount } }],
      assignee: "clerk",
      expiresInMs: 60_000,
    });
    const graph = new StateGraph(Annotation.Root({ amount: Annotation<number>, decisions: decisionsChannel() }))
      .addNode("decide", decide, decide.options)
      .addEdge(START, "decide");
    const activities = exportActivities(graph);
    const asked = await outcome(activities.decide, { amount: 40 });
    expect(asked.interrupts).toMatchObject([
      {
        kind: "approval",
        value: { actionRequests: [{ name: "refund", args: { amount: 40 } }], assignee: "clerk" },
        dueAt: expect.any(Number) as number,
        schema: { type: "object" },
      },
    ]);
    const answers = [{ decisions: [{ type: "approve" }], decidedBy: "ann" }];
    expect(await outcome(activities.decide, { amount: 40 }, { answers })).toMatchObject({
      decisions: [{ type: "approve", decidedBy: "ann", action: { args: { amount: 40 } } }],
    });
    await expect(outcome(activities.decide, { amount: 40 }, { answers: ["yes"] })).rejects.toMatchObject({
      type: "ANSWER_INVALID",
      nonRetryable: true,
    });
    const due = { perdure: "due", at: new Date().toISOString() };
    expect(await outcome(activities.decide, { amount: 40 }, { answers: [due] })).toMatchObject({
      decisions: [{ type: "reject", expired: true }],
    });
  });

  it("that waits for a signal is given it as the answer", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("wait", async () => ({ log: await waitForSignal("shipped", z.string()) }))
      .addEdge(START, "wait");
    const { wait } = exportActivities(graph);
    expect(await outcome(wait, {})).toMatchObject({ interrupts: [{ kind: "signal", value: { name: "shipped" } }] });
    expect(await outcome(wait, {}, { answers: ["on its way"] })).toEqual({ log: "on its way" });
  });

  it("that fails is tried again by its own rule, counted over attempts, and no more within one", async () => {
    let runs = 0;
    const fail = () => {
      runs += 1;
      throw new RangeError(`run ${runs}`);
    };
    const policy = { maxAttempts: 2, initialInterval: 700, jitter: false };
    const graph = new StateGraph(TextLog)
      .addNode("plain", fail)
      .addNode("policy", fail, { retryPolicy: policy })
      .addNode("policies", withPolicies(fail, { retry: { attempts: 2, intervalMs: 700, jitter: false } }))
      .addEdge(START, "plain")
      .addEdge("plain", "policy")
      .addEdge("policy", "policies");
    const { plain, policy: byPolicy, policies } = exportActivities(graph);
    await expect(outcome(plain, {})).rejects.toMatchObject({ name: "RangeError", message: "run 1" });
    for (const node of [byPolicy, policies]) {
      runs = 0;
      const first = run(node, [{}]);
      await expect(first.result).rejects.toMatchObject({
        type: "RangeError",
        nextRetryDelay: 700,
        nonRetryable: false,
      });
      const left = first.beats.at(-1);
      await expect(run(node, [{}], left).result).rejects.toMatchObject({ type: "RangeError", nonRetryable: true });
      expect(runs).toBe(2);
    }
  });

  it("hears of a cancel by its signal", async () => {
    const begun = Promise.withResolvers<void>();
    const graph = new StateGraph(TextLog)
      .addNode("wait", async (_state, { signal }: LangGraphRunnableConfig) => {
        begun.resolve();
        await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error)));
        return {};
      })
      .addEdge(START, "wait");
    const { result, environment } = run(exportActivities(graph).wait, [{}]);
    await begun.promise;
    environment.cancel("CANCELLED");
    await expect(result).rejects.toThrow("CANCELLED");
  });

  it("of a subgraph runs all of it, and asks what is asked inside", async () => {
    const inner = new StateGraph(TextLog)
      .addNode("one", () => ({ log: "one" }))
      .addNode("two", () => ({ log: String(interrupt("inside?")) }))
      .addEdge(START, "one")
      .addEdge("one", "two");
    const graph = new StateGraph(TextLog).addNode("inner", inner.compile()).addEdge(START, "inner");
    const activities = exportActivities(graph);
    expect(await outcome(activities.inner, { log: ["in"] })).toEqual({
      interrupts: [{ kind: "input", value: "inside?" }],
    });
    expect(await outcome(activities.inner, { log: ["in"] }, { answers: ["two"] })).toEqual({
      log: ["in", "one", "two"],
    });
  });

  it("gets the context and metadata of the call", async () => {
    const graph = new StateGraph(TextLog)
      .addNode("tell", (_state, { context, metadata }: LangGraphRunnableConfig<{ user?: string }>) => ({
        log: `${context?.user} ${String(metadata?.["trace"])}`,
      }))
      .addEdge(START, "tell");
    const { tell } = exportActivities(graph);
    expect(await outcome(tell, {}, { context: { user: "ann" }, metadata: { trace: 7 } })).toEqual({ log: "ann 7" });
  });
});

describe("exported nodes of an agent", () => {
  let server: OpenAiServer;
  beforeAll(async () => {
    server = await startOpenAiServer(() => ({ calls: [{ name: "weather", args: { city: "Ghent" }, id: "c1" }] }));
  });
  afterAll(() => server.close());

  it("pass messages as JSON: the model's call goes to the tools, which read the state they were given", async () => {
    const model = new ChatOpenAI({ model: "scripted", apiKey: "none", configuration: { baseURL: server.baseURL } });
    const weather = tool(
      ({ city }) => {
        const { messages } = getCurrentTaskInput<typeof MessagesAnnotation.State>();
        return `rain in ${city}, says message ${messages.length}`;
      },
      { name: "weather", description: "The weather", schema: z.object({ city: z.string() }) },
    );
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("model", modelNode({ model, tools: [weather] }))
      .addNode("tools", new ToolNode([weather]))
      .addEdge(START, "model")
      .addEdge("model", "tools");
    const activities = exportActivities(graph);
    const question: ["user", string] = ["user", "What is the weather?"];
    const said = await outcome(activities.model, { messages: [question] });
    expect(JSON.parse(JSON.stringify(said))).toEqual(said); // as it comes out of Temporal
    const messages = said.messages ?? [];
    const told = await outcome(activities.tools, { messages: [question, ...messages] });
    expect(told.messages).toMatchObject([{ kwargs: { content: "rain in Ghent, says message 2", tool_call_id: "c1" } }]);
  });
});
