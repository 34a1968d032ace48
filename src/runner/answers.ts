import type { Checkpointer, StoredSignal, ThreadRecord, ThreadOwner } from "../checkpoint/index.ts";
import { PerdureError } from "../errors/index.ts";
import { answerProblem, isDueAnswer } from "../nodes/index.ts";
import type { DueAnswer } from "../nodes/index.ts";
import { graphChanged } from "./missing-nodes.ts";
import type { Question } from "./open-question.ts";
import { assertOwner } from "./thread-owner.ts";
import type { ThreadView } from "./thread-view.ts";

/**
 * Answers to a thread's open interrupts: a map from interrupt id to answer, or `{ answer }` while
 * exactly one is open. Any value is an answer, `false`, `0` and `""` too. A bare `{ answer }` goes to the question that is
 * open when it comes: sent twice, it may answer the next one. Where something is at stake, name the interrupt.
 */
export type Answers = { readonly answer: unknown } | Readonly<Record<string, unknown>>;

/** An answer and the question it is for. */
interface Given {
  readonly question: Question;
  readonly answer: unknown;
}

/** The answers by the interrupts they are for. What is named already stays as it is. @throws INTERRUPT_AMBIGUOUS, INTERRUPT_NOT_OPEN */
export function nameAnswers(view: ThreadView, answers: Answers): Readonly<Record<string, unknown>> {
  const given: unknown = answers;
  const ids = typeof given === "object" && given !== null && !Array.isArray(given) ? Object.keys(given) : [];
  if (ids.length === 0) {
    throw new PerdureError("OPTIONS_INVALID", `No answer was given for thread "${view.threadId}".`, {
      hint: "Pass { [interruptId]: answer }, or { answer } while exactly one interrupt is open.",
    });
  }
  if (ids.length > 1 || ids[0] !== "answer") return answers;
  const [only, ...others] = view.questions;
  if (only === undefined) throw notOpen(view, undefined);
  if (others.length > 0) {
    throw new PerdureError(
      "INTERRUPT_AMBIGUOUS",
      `Thread "${view.threadId}" has ${view.questions.length} open interrupts: ${openOnes(view)}.`,
      { hint: "Name the one you answer: { [interruptId]: answer }." },
    );
  }
  return { [only.interrupt.id]: answers["answer"] };
}

/**
 * Commits a person's answers by interrupt, all or none (I3). Nothing happens when all of them were given before. An approval whose
 * time is over takes none, also before a runner found it due.
 * @throws INTERRUPT_NOT_OPEN, INTERRUPT_ALREADY_ANSWERED, ANSWER_INVALID, RUN_CANCELLED, THREAD_OWNED
 */
export async function commitAnswers(
  checkpointer: Checkpointer,
  view: ThreadView,
  answers: Readonly<Record<string, unknown>>,
  { now, owner }: { readonly now: number; readonly owner: ThreadOwner | undefined },
): Promise<void> {
  const given: Given[] = [];
  for (const [id, answer] of Object.entries(answers)) {
    const question = view.questions.find(({ interrupt }) => interrupt.id === id);
    if (question === undefined) await requireSame(checkpointer, view, id, answer);
    else given.push({ question, answer: valid(question, answer, now) });
  }
  if (given.length === 0) return;
  const refuseCancelled = (record: ThreadRecord): ThreadRecord => {
    assertOwner(view.threadId, record, owner);
    if (record.cancelled === null) return record;
    throw new PerdureError("RUN_CANCELLED", `Thread "${view.threadId}" was cancelled: ${record.cancelled.reason}.`, {
      hint: "Take it up again with runner.continue first.",
    });
  };
  const outcomes = await commit(checkpointer, view, given, refuseCancelled);
  for (const [index, outcome] of outcomes.entries()) {
    const id = given[index]?.question.interrupt.id ?? "";
    if (outcome === "different") throw alreadyAnswered(view.threadId, id);
    if (outcome === "stale") throw notOpen(view, id);
  }
}

/** Answers the timers and expiries that are over, or those named. Returns whether there were any. */
export async function commitDue(
  checkpointer: Checkpointer,
  view: ThreadView,
  now: number,
  named: readonly string[] | undefined,
): Promise<boolean> {
  const answer: DueAnswer = { perdure: "due", at: new Date(now).toISOString() };
  const given: Given[] = [];
  for (const question of view.questions) {
    const { id, dueAt } = question.interrupt;
    if (dueAt !== undefined && (named === undefined ? dueAt <= now : named.includes(id)))
      given.push({ question, answer });
  }
  if (given.length === 0) return false;
  // one commit each: somebody may answer one of them in this moment, and then that answer stands
  for (const one of given) await commit(checkpointer, view, [one]);
  return true;
}

/** A sender that does not hear of its signal sends it again soon, so the ids of old ones may go. */
const TAKEN_SIGNALS_KEPT = 1_000;

/** Gives signals from the inbox to those who wait for them, oldest first. Returns whether any was given. */
export async function commitSignals(checkpointer: Checkpointer, view: ThreadView): Promise<boolean> {
  if (view.record.cancelled !== null) return false;
  const inbox = [...view.record.signals];
  let any = false;
  for (const question of view.questions) {
    if (question.interrupt.kind !== "signal") continue;
    const { name } = question.interrupt.value;
    const index = inbox.findIndex((signal) => signal.name === name && fits(question, signal.payload));
    const signal = inbox[index];
    if (signal === undefined) continue;
    inbox.splice(index, 1);
    const taken = await takeSignal(checkpointer, view, question, signal);
    any ||= taken;
  }
  return any;
}

/** Gives one signal to one question, unless somebody else gave either away since the view was read. */
async function takeSignal(
  checkpointer: Checkpointer,
  view: ThreadView,
  question: Question,
  { id, payload }: StoredSignal,
): Promise<boolean> {
  const gone = new Error(`Signal "${id}" was taken.`);
  const take = (record: ThreadRecord): ThreadRecord => {
    if (!record.signals.some((signal) => signal.id === id)) throw gone;
    return {
      ...record,
      signals: record.signals.filter((signal) => signal.id !== id),
      takenSignals: [...(record.takenSignals ?? []), id].slice(-TAKEN_SIGNALS_KEPT),
    };
  };
  try {
    const [outcome] = await commit(checkpointer, view, [{ question, answer: payload }], take);
    return outcome === "accepted";
  } catch (error) {
    if (error === gone) return false;
    throw error;
  }
}

function commit(
  checkpointer: Checkpointer,
  view: ThreadView,
  given: readonly Given[],
  record?: (record: ThreadRecord) => ThreadRecord,
) {
  return checkpointer.commitAnswers(view.threadId, {
    headCheckpointId: view.checkpointId,
    answers: given.map(({ question, answer }) => ({
      interruptId: question.interrupt.id,
      answer,
      ...(question.task === undefined ? {} : { task: question.task }),
    })),
    ...(record === undefined ? {} : { record }),
  });
}

async function requireSame(checkpointer: Checkpointer, view: ThreadView, id: string, answer: unknown): Promise<void> {
  // asking to store it again finds out whether it is the same, as the checkpointer compares them
  const [outcome] = await checkpointer.commitAnswers(view.threadId, {
    headCheckpointId: "none",
    answers: [{ interruptId: id, answer }],
  });
  if (outcome === "different") throw alreadyAnswered(view.threadId, id);
  if (outcome !== "same") throw notOpen(view, id);
}

function valid({ interrupt }: Question, answer: unknown, now: number): unknown {
  const { id, kind, dueAt = Infinity } = interrupt;
  if (kind === "approval" && dueAt <= now) {
    throw new PerdureError(
      "INTERRUPT_NOT_OPEN",
      `The time to answer interrupt "${id}" ended at ${new Date(dueAt).toISOString()}.`,
      {
        hint: "Nothing was changed. runner.continue goes on as its onExpiry says.",
      },
    );
  }
  if (isDueAnswer(answer)) {
    throw new PerdureError("ANSWER_INVALID", `Interrupt "${interrupt.id}" can't be answered as being due.`, {
      hint: "Only the runner finds a question due: use runner.continue.",
    });
  }
  const problem = interrupt.schema && answerProblem(interrupt.schema, answer)?.replace(/\.$/u, "");
  if (problem === undefined) return answer;
  throw new PerdureError("ANSWER_INVALID", `The answer to interrupt "${interrupt.id}" does not fit: ${problem}.`, {
    hint: "The interrupt's schema says what fits.",
  });
}

function fits({ interrupt }: Question, payload: unknown): boolean {
  if (isDueAnswer(payload)) return false; // the wait would take it for the end of its time
  return interrupt.schema === undefined || answerProblem(interrupt.schema, payload) === undefined;
}

function notOpen(view: ThreadView, id: string | undefined): PerdureError {
  if (view.missing.length > 0) return graphChanged(view.threadId, view.missing); // the question may be theirs
  const which = id === undefined ? "no open interrupt" : `no open interrupt "${id}"`;
  return new PerdureError(
    "INTERRUPT_NOT_OPEN",
    `Thread "${view.threadId}" has ${which}; open are: ${openOnes(view)}.`,
    {
      hint: "It was never asked, or the thread went on without it. Look at runner.inspect.",
    },
  );
}

function alreadyAnswered(threadId: string, id: string): PerdureError {
  return new PerdureError(
    "INTERRUPT_ALREADY_ANSWERED",
    `Interrupt "${id}" of thread "${threadId}" was answered before, and differently.`,
    { hint: "The first answer stands. Nothing was changed." },
  );
}

function openOnes(view: ThreadView): string {
  return (
    view.questions.map(({ interrupt }) => `${interrupt.id} (${interrupt.kind} of "${interrupt.node}")`).join(", ") ||
    "none"
  );
}
