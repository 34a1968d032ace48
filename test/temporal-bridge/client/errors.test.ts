import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { Client, Connection } from "@temporalio/client";
import { createTemporalExecutor } from "perdure/temporal/client";
import { expect, inject, it } from "vitest";
import { startTemporal } from "../../support/temporal-server.ts";
import { describeWithTemporal, temporalRig } from "../../support/temporal.ts";

const graphs = {
  asking: new StateGraph(Annotation.Root({ answer: Annotation<unknown> }))
    .addNode("ask", () => ({ answer: interrupt("May I?") as unknown }))
    .addEdge(START, "ask"),
};

describeWithTemporal("an executor that gets no reply", () => {
  it("says ENGINE_UNREACHABLE of a query and an answer while no worker is there, and the answer may be sent again", async () => {
    const rig = await temporalRig(graphs);
    const run = await rig.executor.execute("asking", { id: rig.newId(), input: {} });
    const [question] = (await rig.settled(run.id)).interrupts;
    rig.worker.shutdown();
    await expect.poll(() => rig.worker.getState()).toBe("STOPPED");

    const connection = await Connection.connect({ address: inject("temporalAddress") });
    const client = new Client({ connection });
    const { taskQueue, checkpointer } = rig;
    const executor = createTemporalExecutor<typeof graphs>({ client, taskQueue, checkpointer });
    const soon = <T>(call: () => Promise<T>) => connection.withDeadline(Date.now() + 1_000, call);
    const unreachable = { code: "ENGINE_UNREACHABLE" };
    await expect(soon(() => executor.query(run.id, "state"))).rejects.toMatchObject(unreachable);
    const answer = () => executor.resume(run.id, { [question!.id]: "yes" });
    await expect(soon(answer)).rejects.toMatchObject(unreachable);

    const again = await temporalRig(graphs, { taskQueue, checkpointer });
    await answer();
    expect(await executor.get<"asking">(run.id).result()).toEqual({ answer: "yes" });
    await again.stop();
    await connection.close();
  });

  it("says ENGINE_UNREACHABLE while the server is away, and works again when it is back", async () => {
    const server = await startTemporal();
    // as they come, calls are tried again for some seconds
    const connection = await Connection.connect({ address: server.address, interceptors: [] });
    const executor = createTemporalExecutor({ client: new Client({ connection }), taskQueue: "none" });
    await server.stop();
    const run = executor.get("none");
    await expect(run.status()).rejects.toMatchObject({ code: "ENGINE_UNREACHABLE" });
    const { port } = new URL(`http://${server.address}`);
    const back = await startTemporal({ port: Number(port) });
    await expect
      .poll(() =>
        run.status().then(
          () => "",
          (error: { code: string }) => error.code,
        ),
      )
      .toBe("RUN_NOT_FOUND");
    await connection.close();
    await back.stop();
  });
});
