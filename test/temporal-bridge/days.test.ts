import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { TestWorkflowEnvironment } from "@temporalio/testing";
import { approval, decisionsChannel, sleep, waitForSignal } from "perdure/nodes";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { findTemporal } from "../support/temporal-binaries.ts";
import { describeWithTemporal, temporalRig } from "../support/temporal.ts";
import type { TemporalRig } from "../support/temporal.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

const Refund = Annotation.Root({ decisions: decisionsChannel(), sent: Annotation<string | undefined> });
const Wait = Annotation.Root({ got: Annotation<unknown> });

function graphs() {
  const ask = approval({
    actions: [{ name: "refund", args: { amount: 40 } }],
    assignee: "clerk",
    expiresInMs: 3 * DAY_MS,
    onExpiry: { escalateTo: "manager", onExpiry: "giveUp" },
    onApprove: "refund",
    onReject: "explain",
  });
  const says = (sent: string) => () => ({ sent });
  const refund = new StateGraph(Refund)
    .addNode("ask", ask, ask.options)
    .addNode("refund", says("refund"))
    .addNode("explain", says("explanation"))
    .addNode("giveUp", says("nothing"))
    .addEdge(START, "ask");
  const month = new StateGraph(Wait)
    .addNode("nap", async () => {
      await sleep(30 * DAY_MS);
      return { got: "up" };
    })
    .addEdge(START, "nap");
  const waiting = (options: { readonly expiresInMs?: number }) =>
    new StateGraph(Wait)
      .addNode("wait", async () => ({
        got: (await waitForSignal("shipped", z.string(), { ...options, onExpiry: "undefined" })) ?? "nothing came",
      }))
      .addEdge(START, "wait");
  const late = new StateGraph(Wait)
    .addNode("nap", async () => {
      await sleep(2 * DAY_MS);
      return {};
    })
    .addNode("wait", async () => ({ got: await waitForSignal("shipped", z.string()) }))
    .addEdge(START, "nap")
    .addEdge("nap", "wait");
  return { refund, month, burst: month, patient: waiting({}), hasty: waiting({ expiresInMs: 5 * DAY_MS }), late };
}

const { testServer } = await findTemporal().catch(() => ({ testServer: undefined }));

const describeDays = testServer === undefined ? describe.skip : describeWithTemporal;

describeDays("a run of days, on a server that skips time", () => {
  const made = graphs();
  let environment: TestWorkflowEnvironment;
  let rig: TemporalRig<typeof made>;

  beforeAll(async () => {
    environment = await TestWorkflowEnvironment.createTimeSkipping({
      server: { executable: { type: "existing-path", path: testServer ?? "" } },
    });
    rig = await temporalRig(made, { address: environment.address, settings: { burst: { granularity: "burst" } } });
  });
  afterAll(async () => {
    await rig.stop();
    await environment.teardown();
  });

  /** The days that have gone by, to the minute. */
  async function daysSince(startMs: number): Promise<number> {
    return Math.round((await environment.currentTimeMs()) / 60_000 - startMs / 60_000) / (24 * 60);
  }
  /** The timers of Temporal's that woke the run, in days. */
  async function timers(id: string): Promise<number[]> {
    const { events } = await rig.client.workflow.getHandle(id).fetchHistory();
    const fired = new Set((events ?? []).map(({ timerFiredEventAttributes }) => timerFiredEventAttributes?.timerId));
    return (events ?? []).flatMap(({ timerStartedEventAttributes: timer }) =>
      timer && fired.has(timer.timerId) ? [Math.round(Number(timer.startToFireTimeout?.seconds ?? 0) / 86_400)] : [],
    );
  }

  it("asks somebody else after 3 days without a decision, and goes on without one after 3 more", async () => {
    const begun = await environment.currentTimeMs();
    const run = await rig.executor.execute("refund", { id: rig.newId(), input: {} });
    const first = await rig.settled(run.id);
    expect(first.interrupts).toMatchObject([{ kind: "approval", node: "ask", value: { assignee: "clerk" } }]);
    await environment.sleep(2.9 * DAY_MS);
    expect((await rig.settled(run.id)).interrupts).toEqual(first.interrupts);
    await environment.sleep(0.2 * DAY_MS);
    const openId = async () => (await rig.settled(run.id)).interrupts[0]?.id;
    await expect.poll(openId).not.toBe(first.interrupts[0]!.id);
    const second = await rig.settled(run.id);
    expect(second.interrupts).toMatchObject([{ kind: "approval", node: "ask", value: { assignee: "manager" } }]);
    const decision = { decisions: [{ type: "approve" }] };
    await expect(rig.executor.resume(run.id, { [first.interrupts[0]!.id]: decision })).rejects.toMatchObject({
      code: "INTERRUPT_ALREADY_ANSWERED",
    });
    expect((await rig.settled(run.id)).interrupts).toEqual(second.interrupts);
    await environment.sleep(3 * DAY_MS);
    const { sent, decisions } = await run.result();
    expect(sent).toBe("nothing");
    expect(decisions).toMatchObject([
      { type: "escalate", assignee: "clerk", expired: true, decidedBy: null },
      { type: "reject", assignee: "manager", expired: true, decidedBy: null },
    ]);
    const days = decisions.map(({ at }) => Math.round((Date.parse(at) - begun) / DAY_MS));
    expect(days).toEqual([3, 6]);
    expect(await timers(run.id)).toEqual([3, 3]);
  });

  it("takes a decision of the last day, and notes when it was made by the server's time", async () => {
    const begun = await environment.currentTimeMs();
    const run = await rig.executor.execute("refund", { id: rig.newId(), input: {} });
    const { interrupts } = await rig.settled(run.id);
    await environment.sleep(2.5 * DAY_MS);
    await rig.executor.resume(run.id, { [interrupts[0]!.id]: { decisions: [{ type: "approve" }], decidedBy: "ann" } });
    const { sent, decisions } = await run.result();
    expect(sent).toBe("refund");
    expect(decisions).toMatchObject([{ type: "approve", decidedBy: "ann", assignee: "clerk" }]);
    expect((Date.parse(decisions[0]!.at) - begun) / DAY_MS).toBeCloseTo(2.5, 2);
  });

  it("goes on counting a question's days when an answer to it was refused", async () => {
    const run = await rig.executor.execute("refund", { id: rig.newId(), input: {} });
    const { interrupts } = await rig.settled(run.id);
    const refused = rig.executor.resume(run.id, { [interrupts[0]!.id]: { decisions: [{ type: "no such decision" }] } });
    await expect(refused).rejects.toMatchObject({ code: "ANSWER_INVALID" });
    expect((await rig.settled(run.id)).interrupts).toEqual(interrupts);
    await environment.sleep(6.1 * DAY_MS);
    expect((await run.result()).sent).toBe("nothing");
  });

  it("sleeps for 30 days on one timer of Temporal's", async () => {
    const begun = await environment.currentTimeMs();
    const run = await rig.executor.execute("month", { id: rig.newId(), input: {} });
    expect((await rig.settled(run.id)).interrupts).toMatchObject([{ kind: "timer", node: "nap" }]);
    await environment.sleep(29.9 * DAY_MS);
    expect(await run.status()).toBe("interrupted");
    await environment.sleep(0.1 * DAY_MS);
    expect(await run.result()).toEqual({ got: "up" });
    expect(await daysSince(begun)).toBeCloseTo(30, 1);
    expect(await timers(run.id)).toEqual([30]);
  });

  it("counts a sleep in a local activity from the server's time too, which is ahead", async () => {
    await environment.sleep(10 * DAY_MS);
    const run = await rig.executor.execute("burst", { id: rig.newId(), input: {}, localStart: true });
    expect((await rig.settled(run.id)).interrupts).toMatchObject([{ kind: "timer", node: "nap" }]);
    await environment.sleep(29.9 * DAY_MS);
    expect(await run.status()).toBe("interrupted");
    await environment.sleep(0.1 * DAY_MS);
    expect(await run.result()).toEqual({ got: "up" });
    expect(await timers(run.id)).toEqual([30]);
  });

  it("waits for a signal without an end, and for ever so long on no timer at all", async () => {
    const run = await rig.executor.execute("patient", { id: rig.newId(), input: {} });
    await rig.settled(run.id);
    await environment.sleep(100 * DAY_MS);
    expect(await run.status()).toBe("interrupted");
    await rig.executor.signal(run.id, { name: "other", payload: "not this" });
    await rig.executor.signal(run.id, { name: "shipped", payload: "at last" });
    expect(await run.result()).toEqual({ got: "at last" });
    expect(await timers(run.id)).toEqual([]);
  });

  it("gives up a wait whose time is over, and takes a signal that comes before", async () => {
    const runs = await Promise.all(
      [rig.newId(), rig.newId()].map((id) => rig.executor.execute("hasty", { id, input: {} })),
    );
    for (const { id } of runs) await rig.settled(id);
    await environment.sleep(4 * DAY_MS);
    await rig.executor.signal(runs[0]!.id, { name: "shipped", payload: "in time" });
    expect(await runs[0]!.result()).toEqual({ got: "in time" });
    await environment.sleep(1 * DAY_MS);
    expect(await runs[1]!.result()).toEqual({ got: "nothing came" });
  });

  it("keeps a signal that comes days before anybody waits for it", async () => {
    const run = await rig.executor.execute("late", { id: rig.newId(), input: {} });
    expect((await rig.settled(run.id)).next).toEqual(["nap"]);
    await rig.executor.signal(run.id, { name: "shipped", payload: "early" });
    await environment.sleep(2 * DAY_MS);
    expect(await run.result()).toEqual({ got: "early" });
  });
});
