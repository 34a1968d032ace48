/** I3, I5 and I6 on random graphs and in random order. A failure names the seed that repeats it. */
import { Annotation, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { isPerdureError } from "perdure/errors";
import { createRunner } from "perdure/runner";
import type { ThreadState } from "perdure/runner";
import fc from "fast-check";
import { expect, test } from "vitest";
import { collect } from "../support/collect.ts";
import { commitInput } from "../support/commit-input.ts";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";
import type { TestStore } from "../support/describe-on-each-checkpointer.ts";
import { randomGraph, randomNodes } from "../support/random-graph.ts";
import type { RandomNode } from "../support/random-graph.ts";

const MOST_CALLS = 400;

/** One way to bring a run to its end. */
type Way = (run: Run, random: Random) => Promise<ThreadState<unknown>>;

interface Run {
  readonly runner: ReturnType<typeof runnerOf>;
  readonly checkpointer: Checkpointer;
  readonly threadId: string;
}

/** Random numbers from a list that fast-check made, so that it can shrink them. */
interface Random {
  below(limit: number): number;
}

function runnerOf(nodes: readonly RandomNode[], checkpointer: Checkpointer) {
  return createRunner(randomGraph(nodes), { name: "random", checkpointer });
}

function randomOf(numbers: readonly number[]): Random {
  let used = 0;
  return {
    below(limit) {
      used += 1;
      return (numbers[used % numbers.length] ?? 0) % limit;
    },
  };
}

/** The answer that a question gets, whenever and by whom it is answered. */
function answerTo(value: unknown): string {
  return JSON.stringify(value);
}

/** Answers one of the open questions; `only` commits it and leaves driving to somebody else. */
async function answerOne(
  { runner, checkpointer, threadId }: Run,
  state: ThreadState<unknown>,
  random: Random,
  only: boolean,
) {
  const { id, value } = state.interrupts[random.below(state.interrupts.length)]!;
  const lock = only ? await checkpointer.lockThread(threadId, { mode: "exclusive", wait: true }) : undefined;
  const answered = await runner.resume(threadId, { [id]: answerTo(value) });
  await lock?.release();
  return answered;
}

/** In one go: start, resume, and continue after a failure. */
const inOneGo: Way = async (run, random) => {
  let state: ThreadState<unknown> = await run.runner.start(run.threadId, {});
  for (let calls = 0; state.status !== "done"; calls += 1) {
    expect(calls).toBeLessThan(MOST_CALLS);
    state =
      state.interrupts.length > 0
        ? await answerOne(run, state, random, false)
        : await run.runner.continue(run.threadId);
  }
  return state;
};

/** Task by task in random order, some at the same time, with answers in between. */
const taskByTask: Way = async (run, random) => {
  const { runner, checkpointer, threadId } = run;
  let state: ThreadState<unknown> = await commitInput(runner, checkpointer, threadId, {});
  for (let calls = 0; state.status !== "done"; calls += 1) {
    expect(calls).toBeLessThan(MOST_CALLS);
    const failed = state.status === "error" ? state.failures.map(({ taskId }) => taskId) : [];
    const ready = [...state.tasks.map(({ id }) => id), ...failed];
    if (state.interrupts.length > 0 && (ready.length === 0 || random.below(3) === 0)) {
      state = await answerOne(run, state, random, true);
    } else {
      const one = ready[random.below(Math.max(1, ready.length))];
      const other = ready[random.below(Math.max(1, ready.length))];
      const calls = [one, random.below(2) === 0 ? other : undefined].filter((id) => id !== undefined);
      if (calls.length === 0) await runner.step(threadId);
      await Promise.all(
        calls.map((id) =>
          runner.step(threadId, { tasks: [id] }).catch((error: unknown) => {
            // of a task that was named twice the second call may come when it has asked
            if (calls[0] !== calls[1] || !isPerdureError(error, "TASK_NOT_READY")) throw error;
          }),
        ),
      );
      state = await runner.inspect(threadId);
    }
  }
  return state;
};

/** In bursts of some supersteps, as an activity of a workflow does. */
const inBursts: Way = async (run, random) => {
  const { runner, checkpointer, threadId } = run;
  let state: ThreadState<unknown> = await commitInput(runner, checkpointer, threadId, {});
  for (let calls = 0; state.status !== "done"; calls += 1) {
    expect(calls).toBeLessThan(MOST_CALLS);
    const failed = state.status === "error" ? state.failures.map(({ taskId }) => taskId) : [];
    const tasks = [...state.tasks.map(({ id }) => id), ...failed];
    if (tasks.length === 0 && state.interrupts.length > 0) state = await answerOne(run, state, random, true);
    else state = await runner.step(threadId, { tasks, maxSteps: 1 + random.below(4) });
  }
  return state;
};

async function outcome(nodes: readonly RandomNode[], way: Way, random: Random, store: TestStore) {
  const { checkpointer } = store;
  const threadId = store.newThread();
  const runner = runnerOf(nodes, checkpointer);
  const { values } = await way({ runner, checkpointer, threadId }, random);
  const history = (await collect(runner.history(threadId))).map(({ step, next, values: then }) => ({
    step,
    next,
    values: then,
  }));
  return { values, history };
}

const someNumbers = fc.array(fc.nat({ max: 1_000 }), { minLength: 5, maxLength: 20 });

describeOnEachCheckpointer("I5", (store) => {
  test("a graph driven in one go, task by task or in bursts has the same values and the same checkpoints", async () => {
    await fc.assert(
      fc.asyncProperty(randomNodes, someNumbers, async (nodes, numbers) => {
        const expected = await outcome(nodes, inOneGo, randomOf(numbers), store);
        expect(await outcome(nodes, taskByTask, randomOf(numbers), store)).toEqual(expected);
        expect(await outcome(nodes, inBursts, randomOf(numbers), store)).toEqual(expected);
      }),
      // On a database a failure is told as it is: to shrink it would take longer than the test may last.
      store.kind === "memory" ? { numRuns: 30 } : { numRuns: 3, endOnFailure: true },
    );
  }, 900_000);
});

test("I6: the order in which parallel tasks finish changes nothing", async () => {
  const State = Annotation.Root({
    log: Annotation<string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
    last: Annotation<string>({ reducer: (_kept, added) => added, default: () => "" }),
  });
  interface Task {
    readonly ends: "finishes" | "asks" | "fails";
  }
  const drive = async (tasks: readonly Task[], order: readonly number[]) => {
    const gates = tasks.map(() => Promise.withResolvers<void>());
    const graph = new StateGraph(State)
      .addNode("work", async (index: number) => {
        await gates[index]!.promise;
        const { ends } = tasks[index]!;
        if (ends === "fails") throw new Error(`task ${index}`);
        const line = ends === "asks" ? String(interrupt(`question ${index}`)) : `task ${index}`;
        return { log: [line], last: line };
      })
      .addNode("after", ({ log, last }) => ({ log: [`after ${log.length}, last ${last}`] }))
      .addConditionalEdges(START, () => tasks.map((_task, index) => new Send("work", index)))
      .addEdge("work", "after");
    const runner = createRunner(graph, { name: "order", checkpointer: await openCheckpointer("memory:") });
    const started = runner.start("t", {});
    for (const index of order) {
      gates[index]!.resolve();
      await new Promise(setImmediate); // one after the other, whatever ends
    }
    let state = await started;
    const first = seen(state);
    for (const { id, value } of state.interrupts)
      state = await runner.resume("t", { [id]: `answer to ${String(value)}` });
    return { first, last: seen(state) };
  };
  const seen = ({ status, step, next, values, interrupts, ...state }: ThreadState<unknown>) => ({
    status,
    step,
    next,
    values,
    asked: interrupts.map(({ value }) => value),
    failed: "failures" in state ? state.failures.map(({ message }) => message) : [],
  });
  const someTasks = fc.array(fc.record({ ends: fc.constantFrom("finishes", "finishes", "asks", "fails") }), {
    minLength: 2,
    maxLength: 6,
  }) as fc.Arbitrary<Task[]>;

  await fc.assert(
    fc.asyncProperty(
      someTasks.chain((tasks) =>
        fc.tuple(fc.constant(tasks), fc.shuffledSubarray([...tasks.keys()], { minLength: tasks.length })),
      ),
      async ([tasks, order]) => {
        expect(await drive(tasks, order)).toEqual(await drive(tasks, [...tasks.keys()]));
      },
    ),
    { numRuns: 40 },
  );
});

test("I3: whatever is sent, late, wrong or twice, what was answered first stands", async () => {
  const graph = () =>
    new StateGraph(
      Annotation.Root({
        log: Annotation<string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
      }),
    )
      .addNode("ask", (name: string) => ({
        log: [`${name} ${String(interrupt(`${name} 1`))} ${String(interrupt(`${name} 2`))}`],
      }))
      .addNode("last", () => ({ log: [`last ${String(interrupt("last"))}`] }))
      .addConditionalEdges(START, () => ["a", "b"].map((name) => new Send("ask", name)))
      .addEdge("ask", "last");

  const someSends = fc.array(
    fc.record({ which: fc.nat({ max: 9 }), answer: fc.constantFrom("yes", "no", 0), together: fc.boolean() }),
    { minLength: 5, maxLength: 25 },
  );
  await fc.assert(
    fc.asyncProperty(someSends, async (sends) => {
      const runner = createRunner(graph(), { name: "ask", checkpointer: await openCheckpointer("memory:") });
      const asked = new Map<string, string>(); // what each question asks, by its id
      const first = new Map<string, unknown>(); // the first answer to each
      const note = (state: ThreadState<unknown>) => {
        for (const { id, value } of state.interrupts) {
          expect(first.has(id)).toBe(false); // never asked again under an id that was answered
          asked.set(id, String(value));
        }
      };
      note(await runner.start("t", {}));
      for (const { which, answer, together } of sends) {
        const ids = [...asked.keys(), "0".repeat(32)];
        const id = ids[which % ids.length]!;
        const before = await runner.inspect("t");
        const isOpen = before.interrupts.some((one) => one.id === id);
        const expected = first.has(id)
          ? first.get(id) === answer
            ? "same"
            : "INTERRUPT_ALREADY_ANSWERED"
          : isOpen
            ? "taken"
            : "INTERRUPT_NOT_OPEN";
        if (expected === "taken") {
          first.set(id, answer);
          const other = answer === "yes" ? "no" : "yes";
          const rivals = together
            ? [runner.resume("t", { [id]: answer }), runner.resume("t", { [id]: other })]
            : [runner.resume("t", { [id]: answer })];
          const outcomes = await Promise.allSettled(rivals);
          const taken = outcomes.map(({ status }) => status).indexOf("fulfilled");
          if (taken === 1) first.set(id, other);
          expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
          note(await runner.continue("t", { whenBusy: "enqueue" }));
        } else if (expected === "same") {
          expect(await runner.resume("t", { [id]: answer })).toEqual(before);
        } else {
          await expect(runner.resume("t", { [id]: answer })).rejects.toMatchObject({ code: expected });
          expect(await runner.inspect("t")).toEqual(before);
        }
      }
      for (let state = await runner.inspect("t"); state.status !== "done";) {
        note(state);
        const { id } = state.interrupts[0]!;
        first.set(id, "end");
        state = await runner.resume("t", { [id]: "end" });
      }
      const answerOf = (question: string) => String(first.get([...asked].find(([, value]) => value === question)![0]));
      expect((await runner.inspect("t")).values.log).toEqual([
        `a ${answerOf("a 1")} ${answerOf("a 2")}`,
        `b ${answerOf("b 1")} ${answerOf("b 2")}`,
        `last ${answerOf("last")}`,
      ]);
    }),
    { numRuns: 40 },
  );
});
