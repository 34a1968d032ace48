/** Two runners on two checkpointers of one Postgres, as two processes would be, at the same moment. */
import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithPostgres, freshDatabase } from "../../../support/fresh-database.ts";
import type { FreshDatabase } from "../../../support/fresh-database.ts";

const State = Annotation.Root({
  log: Annotation<string[], string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});
const asking = new StateGraph(State)
  .addNode("ask", () => ({ log: [`answered ${String(interrupt("sure?"))}`] }))
  .addEdge(START, "ask");
const echo = new StateGraph(State)
  .addNode("echo", ({ log }) => ({ log: [`heard ${log.at(-1)}`] }))
  .addEdge(START, "echo");

describeWithPostgres("two runners at the same moment", () => {
  let database: FreshDatabase;
  let both: readonly [Checkpointer, Checkpointer];
  beforeAll(async () => {
    database = await freshDatabase();
    both = [await openCheckpointer(database.url), await openCheckpointer(database.url)];
  });
  afterAll(async () => {
    for (const checkpointer of both) await checkpointer.close();
    await database.drop();
  });
  const askingRunner = (which: 0 | 1) => createRunner(asking, { name: "asking", checkpointer: both[which] });
  const echoRunner = (which: 0 | 1) => createRunner(echo, { name: "echo", checkpointer: both[which] });
  /** Takes turns in who is called first, over so many threads. */
  const manyTimes = async (
    times: number,
    race: (threadId: string, one: 0 | 1, other: 0 | 1) => Promise<void>,
  ): Promise<void> => {
    for (let time = 0; time < times; time += 1) {
      const turn = time % 2 === 0;
      await race(`${expect.getState().currentTestName} ${time}`, turn ? 0 : 1, turn ? 1 : 0);
    }
  };

  it("of two that start one thread one wins, the other is told so, and its input is nowhere", async () => {
    const codes = new Set<unknown>();
    await manyTimes(50, async (threadId, one, other) => {
      const outcomes = await Promise.allSettled(
        ([one, other] as const).map((which) => askingRunner(which).start(threadId, { log: [`by ${which}`] })),
      );
      const won = outcomes.map(({ status }) => status === "fulfilled");
      expect(won.filter(Boolean), threadId).toHaveLength(1);
      const winner = won[0] === true ? one : other;
      for (const outcome of outcomes) if (outcome.status === "rejected") codes.add(codeOf(outcome.reason));

      const state = await askingRunner(0).inspect(threadId);
      expect(state, threadId).toMatchObject({ status: "interrupted", values: { log: [`by ${winner}`] } });
    });
    expect(["THREAD_BUSY", "THREAD_INTERRUPTED", "THREAD_UNFINISHED"]).toEqual(expect.arrayContaining([...codes]));
  });

  it("of two that start one thread with enqueue each has its turn, one after the other", async () => {
    await manyTimes(25, async (threadId, one, other) => {
      const turns = await Promise.all(
        ([one, other] as const).map((which) =>
          echoRunner(which).start(threadId, { log: [`by ${which}`] }, { whenBusy: "enqueue" }),
        ),
      );
      expect(turns.map(({ status }) => status)).toEqual(["done", "done"]);
      const { log } = (await echoRunner(0).inspect(threadId)).values;
      const expected = (["by 0", "by 1"] as const).map((line) => [line, `heard ${line}`]);
      expect([expected.flat(), expected.toReversed().flat()], threadId).toContainEqual(log);
    });
  });

  it("of two that answer one question differently exactly one wins, and the thread goes its way", async () => {
    await manyTimes(50, async (threadId, one, other) => {
      const { interrupts } = await askingRunner(one).start(threadId, { log: [] });
      const id = interrupts[0]?.id ?? "";
      const outcomes = await Promise.allSettled(
        ([one, other] as const).map((which) => askingRunner(which).resume(threadId, { [id]: `by ${which}` })),
      );
      const winner = outcomes[0]?.status === "fulfilled" ? one : other;
      const refused = outcomes.filter((outcome) => outcome.status === "rejected");
      expect(
        refused.map(({ reason }) => codeOf(reason)),
        threadId,
      ).toEqual(["INTERRUPT_ALREADY_ANSWERED"]);

      // the loser may have found the thread driven by the winner and gone: then that one has driven it to its end
      const state = await askingRunner(0).continue(threadId, { whenBusy: "enqueue" });
      expect(state, threadId).toMatchObject({ status: "done", values: { log: [`answered by ${winner}`] } });
    });
  });

  it("an answer and a turn that supersedes its question: the answer is on record or refused, and the turn begins", async () => {
    await manyTimes(50, async (threadId, one) => {
      const approver = askingRunner(0);
      const { interrupts } = await approver.start(threadId, { log: [] });
      const id = interrupts[0]?.id ?? "";
      const answer = () => approver.resume(threadId, { [id]: "yes" });
      const supersede = () =>
        askingRunner(1).start(threadId, { log: ["new turn"] }, { supersede: true, whenBusy: "enqueue" });
      const calls = one === 0 ? [answer(), supersede()] : [supersede(), answer()];
      const settled = await Promise.allSettled(calls);
      const [answered, started] = one === 0 ? settled : settled.toReversed();

      expect(started?.status, threadId).toBe("fulfilled");
      const state = await approver.inspect(threadId);
      expect(state, threadId).toMatchObject({ status: "interrupted" });
      expect(state.interrupts[0]?.id).not.toBe(id);
      const stored = await both[0].readAnswer(threadId, id);
      if (answered?.status === "fulfilled") {
        expect(stored, threadId).toMatchObject({ answer: "yes" });
        // it came before the turn, which then dropped what was not finished, or found it finished
        expect([["new turn"], ["answered yes", "new turn"]], threadId).toContainEqual(state.values.log);
      } else {
        expect(codeOf(answered?.reason), threadId).toBe("INTERRUPT_NOT_OPEN");
        expect(stored, threadId).toBeUndefined();
        expect(state.values.log, threadId).toEqual(["new turn"]);
        expect((await both[0].readRecord(threadId))?.superseded, threadId).toMatchObject([{ interruptIds: [id] }]);
      }
    });
  });
});

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : error;
}
