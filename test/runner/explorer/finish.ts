import { isPerdureError } from "perdure/errors";
import { collect } from "../../support/collect.ts";
import { runnerOn } from "./explored-runner.ts";
import type { LogRunner, Scenario, ThreadEnd } from "./scenario.ts";
import { FreeSeat } from "./seats.ts";
import type { Table } from "./seats.ts";

const MOST_CALLS = 10;

/** What came of a thread that was brought to its end. */
export interface Finished {
  readonly end: ThreadEnd;
  /** Interrupts that were answered and took another answer, or changed the thread when they got the same again. */
  readonly reanswered: readonly string[];
}

/** Brings a thread to its end in a process of its own: continues it, and answers what is open. */
export async function finish(scenario: Scenario, table: Table): Promise<Finished> {
  const { threadId } = table;
  const runner = runnerOn(scenario, new FreeSeat("finish", table), table);
  let state = await runner.continue(threadId).catch((error: unknown) => {
    if (isPerdureError(error) && error.code === "THREAD_NOT_FOUND" && "input" in scenario) {
      return runner.start(threadId, scenario.input);
    }
    throw error;
  });
  for (let calls = 0; state.status !== "done"; calls += 1) {
    if (calls === MOST_CALLS) throw new Error(`The thread is ${state.status} after ${calls} calls.`);
    const [open] = state.interrupts;
    state = open === undefined ? await runner.continue(threadId) : await runner.resume(threadId, { [open.id]: "late" });
  }
  const end = await readEnd(runner, table);
  const reanswered = await answerAgain(runner, table);
  if (reanswered.length === 0 && JSON.stringify(await readEnd(runner, table)) !== JSON.stringify(end)) {
    return { end, reanswered: ["answering again changed the thread"] };
  }
  return { end, reanswered };
}

async function readEnd(runner: LogRunner, { threadId, storeOf, account }: Table): Promise<ThreadEnd> {
  const history = new Map((await collect(runner.history(threadId))).map((one) => [one.checkpointId, one]));
  const chain: ThreadEnd["chain"][number][] = [];
  let at = history.values().next().value;
  while (at !== undefined) {
    chain.unshift(at);
    at = at.parentId === undefined ? undefined : history.get(at.parentId);
  }
  const store = storeOf("finish");
  const record = await store.readRecord(threadId);
  const answers = await Promise.all(account.acceptedAnswers.map(({ id }) => store.readAnswer(threadId, id)));
  return {
    chain,
    signalsLeft: record?.signals.map(({ id }) => id) ?? [],
    answers: answers.flatMap((recorded) => (recorded === undefined ? [] : [recorded.answer])),
  };
}

/** I3: another answer is refused, the same again changes nothing. */
async function answerAgain(runner: LogRunner, { threadId, account }: Table): Promise<string[]> {
  const wrong: string[] = [];
  for (const { id, interrupt, answer } of account.acceptedAnswers) {
    const outcome = (given: unknown) =>
      runner.resume(threadId, { [id]: given }).then(
        () => "accepted",
        (error: unknown) => (isPerdureError(error) ? error.code : String(error)),
      );
    const same = await outcome(JSON.parse(answer));
    if (same !== "accepted") wrong.push(`${interrupt} given ${answer} again: ${same}`);
    const other = await outcome("something else");
    if (other !== "INTERRUPT_ALREADY_ANSWERED") wrong.push(`${interrupt} given another answer: ${other}`);
  }
  return wrong;
}
