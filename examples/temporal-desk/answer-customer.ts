/** One customer as the desk sees it: a run is begun, its thread is looked at while it lasts, and its questions are answered. */
import { setTimeout as pause } from "node:timers/promises";
import { isPerdureError } from "perdure/errors";
import type { RunHandle, TemporalExecutor } from "perdure/temporal/client";
import type { CustomerMessage } from "../support-desk/batch.ts";
import { findThread } from "../support-desk/desk.ts";
import type { Desk, DeskState } from "../support-desk/desk.ts";
import { openQuestions } from "../support-desk/open-questions.ts";
import type { OpenQuestion, ThreadEvent } from "../support-desk/protocol.ts";
import type { Shift } from "../support-desk/shift.ts";
import { summarize } from "../support-desk/thread-summary.ts";
import { GRAPH } from "./names.ts";

/** How often a run is looked at. */
const LOOK_MS = 250;
/** How often a run is begun again after a node failed, such as for a model that can't be reached. */
const MAX_FAILURES = 2;
/** The order whose refund nobody of the desk decides about, where decisions come from a file. */
const LEFT_TO_THE_LEAD = "A-1012";

/** Whom a customer's run has to do with. */
export interface Counter {
  readonly desk: Desk;
  readonly executor: TemporalExecutor<{ readonly [GRAPH]: Desk["graph"] }>;
  readonly shift: Shift;
  readonly tell: (event: ThreadEvent) => void;
  readonly isScripted: boolean;
  /** Whether there is no worker now. */
  readonly isDown: () => boolean;
  /** Aborts when the desk closes before its time. */
  readonly closing: AbortSignal;
}

/** Brings one run to its end. */
export async function answerCustomer(counter: Counter, { threadId, text }: CustomerMessage): Promise<void> {
  const { executor, tell, closing } = counter;
  tell({ type: "found", threadId, status: "new", step: -1, next: [] });
  const input = { messages: [{ role: "user", content: text }] };
  let run: RunHandle = await executor.execute(GRAPH, { id: threadId, input });
  const questions = new Questions(counter, threadId);
  let state: DeskState | undefined;
  try {
    for (let failures = 0; ; await pause(LOOK_MS, undefined, { signal: closing })) {
      questions.failure.throwIfAborted();
      const status = await whenReached(() => run.status(), closing);
      // A question is looked up where it is kept, which neither asks a worker nor needs one.
      state = await findThread(counter.desk, threadId);
      if (state !== undefined) show(counter, state);
      await questions.see(state?.interrupts ?? []);
      if (status === "error" && failures++ < MAX_FAILURES) run = await executor.execute(GRAPH, { id: threadId });
      else if (status !== "running" && status !== "interrupted") break;
    }
  } finally {
    await questions.close();
  }
  if (state !== undefined) tell({ type: "finished", threadId, summary: summarize(state) });
}

/** Asks until there is a reply: while a worker or the server is away there is none. */
async function whenReached<T>(ask: () => Promise<T>, closing: AbortSignal): Promise<T> {
  for (;;) {
    closing.throwIfAborted();
    try {
      return await ask();
    } catch (error) {
      if (!isPerdureError(error, "ENGINE_UNREACHABLE")) throw error;
    }
    await pause(LOOK_MS, undefined, { signal: closing });
  }
}

/** Tells what has changed since the thread was looked at. */
function show({ shift, tell, isDown }: Counter, { threadId, status, step, next, tasks }: DeskState): void {
  const row = shift.board.get(threadId);
  if (isDown()) return;
  if (row?.phase === "lost" && status !== "done") tell({ type: "found", threadId, status, step, next });
  const nodes = tasks.map(({ node }) => node);
  const before = row?.nodes ?? [];
  for (const node of without(before, nodes)) tell({ type: "node", threadId, node, phase: "end" });
  for (const node of without(nodes, before)) tell({ type: "node", threadId, node, phase: "start" });
}

/** The questions of one run: each is put to somebody once, and withdrawn when its time is over. */
class Questions {
  readonly #counter: Counter;
  readonly #threadId: string;
  readonly #seen = new Set<string>();
  /** Those that somebody thinks about. */
  readonly #asked = new Map<string, AbortController>();
  readonly #failed = new AbortController();
  readonly #underWay = new Set<Promise<void>>();

  constructor(counter: Counter, threadId: string) {
    this.#counter = counter;
    this.#threadId = threadId;
  }

  /** Aborts with what went wrong with an answer. */
  get failure(): AbortSignal {
    return this.#failed.signal;
  }

  /** Withdraws what is open, and waits for the answers on their way. */
  async close(): Promise<void> {
    for (const question of this.#asked.values()) question.abort(new Error("The desk closes."));
    await Promise.all(this.#underWay);
  }

  async see(interrupts: DeskState["interrupts"]): Promise<void> {
    const { desk, shift, tell } = this.#counter;
    const ids = new Set(interrupts.map(({ id }) => id));
    for (const [id, question] of this.#asked) if (!ids.has(id)) question.abort(new Error("Its time is over."));
    const fresh = interrupts.filter(({ id }) => !this.#seen.has(id));
    for (const { id } of fresh) this.#seen.add(id);
    for (const question of await openQuestions(this.#threadId, fresh, desk.orders, shift.setup.today)) {
      tell({ type: "question", threadId: this.#threadId, question });
      const asked = this.#ask(question).catch((error: unknown) => this.#failed.abort(error));
      this.#underWay.add(asked);
      void asked.finally(() => this.#underWay.delete(asked));
    }
  }

  async #ask(question: OpenQuestion): Promise<void> {
    const { desk, executor, shift, isScripted, closing } = this.#counter;
    const { interruptId: id, assignee, action } = question;
    const about = `${this.#threadId}  ${action.name} ${String(action.args["orderId"])}`;
    if (assignee !== undefined) shift.screen.line(`  ${about}: nobody decided in time, ${assignee} is asked`);
    else if (isScripted && action.args["orderId"] === LEFT_TO_THE_LEAD) return;
    const withdrawn = new AbortController();
    this.#asked.set(id, withdrawn);
    const answer = await shift.decide(question, withdrawn.signal).catch((error: unknown) => {
      if (!withdrawn.signal.aborted) throw error;
    });
    this.#asked.delete(id);
    if (answer === undefined) return;
    for (;;) {
      try {
        await whenReached(() => executor.resume(this.#threadId, { [id]: answer }), closing);
        return;
      } catch (error) {
        if (!isPerdureError(error, "INTERRUPT_ALREADY_ANSWERED") && !isPerdureError(error, "INTERRUPT_NOT_OPEN")) {
          throw error;
        }
      }
      // Where a question was looked up, it stands before its run has heard of it, and until the run goes on without an answer.
      const thread = await findThread(desk, this.#threadId);
      if (thread?.interrupts.some((open) => open.id === id) !== true) break;
      await pause(LOOK_MS, undefined, { signal: closing });
    }
    shift.takeBack(answer);
    shift.screen.line(`  ${about}: the decision came too late`);
  }
}

/** The items of `all` that `some` has not, counting equal ones. */
function without(all: readonly string[], some: readonly string[]): string[] {
  const left = [...some];
  return all.filter((item) => {
    const index = left.indexOf(item);
    if (index < 0) return true;
    left.splice(index, 1);
    return false;
  });
}
