/** One customer as the desk sees it: a run is begun, looked at while it lasts, and its questions are answered. */
import { setTimeout as pause } from "node:timers/promises";
import { isPerdureError } from "perdure/errors";
import type { RunState, TemporalExecutor } from "perdure/temporal/client";
import type { CustomerMessage } from "../support-desk/batch.ts";
import type { Desk } from "../support-desk/desk.ts";
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
}

/** Brings one run to its end. */
export async function answerCustomer(counter: Counter, { threadId, text }: CustomerMessage): Promise<void> {
  const { desk, executor, tell } = counter;
  tell({ type: "found", threadId, status: "new", step: -1, next: [] });
  await executor.execute(GRAPH, { id: threadId, input: { messages: [{ role: "user", content: text }] } });
  const questions = new Questions(counter, threadId);
  for (let failures = 0; ; await pause(LOOK_MS)) {
    questions.failure.throwIfAborted();
    const state = await executor.query(threadId, "state");
    show(counter, state);
    await questions.see(state);
    if (state.status === "error" && failures++ < MAX_FAILURES) await executor.execute(GRAPH, { id: threadId });
    else if (state.status !== "running" && state.status !== "interrupted") break;
  }
  tell({ type: "finished", threadId, summary: summarize(await desk.runner.inspect(threadId)) });
}

/** Tells what has changed since the run was looked at. */
function show({ shift, tell }: Counter, { id: threadId, status, step, next, tasks }: RunState): void {
  const row = shift.board.get(threadId);
  if (row?.phase === "lost") {
    tell({ type: "found", threadId, status: status === "interrupted" ? status : "ready", step, next });
  }
  const nodes = status === "running" ? tasks.map(({ node }) => node) : [];
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

  constructor(counter: Counter, threadId: string) {
    this.#counter = counter;
    this.#threadId = threadId;
  }

  /** Aborts with what went wrong with an answer. */
  get failure(): AbortSignal {
    return this.#failed.signal;
  }

  async see({ interrupts }: RunState): Promise<void> {
    const { desk, shift, tell } = this.#counter;
    const ids = new Set(interrupts.map(({ id }) => id));
    for (const [id, question] of this.#asked) if (!ids.has(id)) question.abort(new Error("Its time is over."));
    const fresh = interrupts.filter(({ id }) => !this.#seen.has(id));
    for (const { id } of fresh) this.#seen.add(id);
    for (const question of await openQuestions(this.#threadId, fresh, desk.orders, shift.setup.today)) {
      tell({ type: "question", threadId: this.#threadId, question });
      this.#ask(question).catch((error: unknown) => this.#failed.abort(error));
    }
  }

  async #ask(question: OpenQuestion): Promise<void> {
    const { executor, shift, isScripted } = this.#counter;
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
    try {
      await executor.resume(this.#threadId, { [id]: answer });
    } catch (error) {
      if (!isPerdureError(error, "INTERRUPT_ALREADY_ANSWERED") && !isPerdureError(error, "INTERRUPT_NOT_OPEN"))
        throw error;
      shift.takeBack(answer);
      shift.screen.line(`  ${about}: the decision came too late`);
    }
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
