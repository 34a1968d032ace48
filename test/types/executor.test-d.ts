import type { Client } from "@temporalio/client";
import { Annotation, START, StateGraph, entrypoint } from "@langchain/langgraph";
import type { DurableExecutor, ExecuteOptions, RunHandle, RunStatus } from "perdure/executor";
import { createTemporalExecutor } from "perdure/temporal/client";
import type { TemporalExecuteOptions } from "perdure/temporal/client";
import { createGraphWorker } from "perdure/temporal/worker";
import type { Checkpointer } from "perdure/checkpoint";
import { expectTypeOf, test } from "vitest";

declare const client: Client;
declare const checkpointer: Checkpointer;

const Case = Annotation.Root({
  title: Annotation<string>(),
  notes: Annotation<string[], string | string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});
const graphs = {
  support: new StateGraph(Case).addNode("read", () => ({ notes: "read" })).addEdge(START, "read"),
  double: entrypoint("double", async (n: number) => n * 2),
};

test("an executor that knows its graphs: names, inputs and values", async () => {
  const executor = createTemporalExecutor<typeof graphs>({ client, taskQueue: "agents" });
  expectTypeOf(executor).toExtend<DurableExecutor<typeof graphs>>();
  const run = await executor.execute("support", { id: "case-42", input: { title: "a", notes: "b" } });
  expectTypeOf(run.runId).toEqualTypeOf<string>();
  expectTypeOf(await run.result()).toEqualTypeOf<{ title: string; notes: string[] }>();
  expectTypeOf(await run.status()).toEqualTypeOf<RunStatus>();
  await executor.execute("support", { id: "case-42" });
  const doubled = await executor.execute("double", { id: "d", input: 21 });
  expectTypeOf(await doubled.result()).toEqualTypeOf<number>();

  // @ts-expect-error no such graph
  await executor.execute("suport", { id: "case-42" });
  // @ts-expect-error the title is text
  await executor.execute("support", { id: "case-42", input: { title: 7 } });
  // @ts-expect-error a run has an id
  await executor.execute("support", { input: { title: "a" } });
  // @ts-expect-error no such query
  await executor.query("case-42", "values");
});

test("a local start is Temporal's own option, and no other executor's", async () => {
  const executor = createTemporalExecutor<typeof graphs>({ client, taskQueue: "agents" });
  await executor.execute("double", { id: "d", input: 21, localStart: true });
  expectTypeOf<TemporalExecuteOptions<number>>().toExtend<ExecuteOptions<number>>();
  const any: DurableExecutor<typeof graphs> = executor;
  // @ts-expect-error not every engine has it
  await any.execute("double", { id: "d", input: 21, localStart: true });
});

test("a handle of an earlier run: its graph is named, or its values are any of the graphs'", async () => {
  const executor = createTemporalExecutor<typeof graphs>({ client, taskQueue: "agents" });
  expectTypeOf(executor.get<"support">("case-42")).toEqualTypeOf<RunHandle<{ title: string; notes: string[] }>>();
  expectTypeOf(await executor.get("case-42").result()).toEqualTypeOf<number | { title: string; notes: string[] }>();
  expectTypeOf(executor.get("case-42").runId).toEqualTypeOf<string | undefined>();
});

test("an executor that knows no graphs takes any name and input", async () => {
  const executor = createTemporalExecutor({ client, taskQueue: "agents", checkpointer });
  const run = await executor.execute("support", { id: "case-42", input: { anything: 1 } });
  expectTypeOf(await run.result()).not.toBeAny();
});

test("a worker takes graphs by their names", async () => {
  await createGraphWorker({ taskQueue: "agents", graphs, checkpointer });
  // @ts-expect-error a graph is no function
  await createGraphWorker({ taskQueue: "agents", graphs: { no: () => 1 }, checkpointer });
  // @ts-expect-error a worker needs a checkpointer
  await createGraphWorker({ taskQueue: "agents", graphs });
});
