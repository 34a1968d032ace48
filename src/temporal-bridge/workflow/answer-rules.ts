import { ApplicationFailure } from "@temporalio/workflow";
import type { WireInterrupt, WireValue } from "../shared/protocol.ts";
import { textOf } from "../shared/same-value.ts";

/** So many questions of the past are remembered, to tell a late answer from a wrong id. */
const ASKED_KEPT = 1_000;
/** Answers that are longer are compared by the checkpointer, which has them. */
const LONGEST_KEPT_ANSWER = 1_000;

/** What a run knows of its questions and answers: enough to refuse a wrong answer before anything is recorded. */
export class AnswerRules {
  readonly #asked: Set<string>;
  /** Answers by interrupt; undefined for one that is too long to keep. */
  readonly #answered = new Map<string, string | undefined>();

  constructor(asked: readonly string[] = []) {
    this.#asked = new Set(asked);
  }

  /** The newest questions that were asked. */
  get asked(): string[] {
    return [...this.#asked];
  }

  /** Notes questions that are open now. */
  see(open: readonly WireInterrupt[]): void {
    for (const { id } of open) this.#asked.add(id);
    for (const id of this.#asked) {
      if (this.#asked.size <= ASKED_KEPT) break;
      this.#asked.delete(id);
      this.#answered.delete(id);
    }
  }

  /** Answers by interrupt, without those that were given before. @throws what `runner.resume` throws */
  check(answers: unknown, open: readonly WireInterrupt[]): Record<string, WireValue> {
    const fresh: Record<string, WireValue> = {};
    for (const [id, answer] of Object.entries(this.#named(answers, open))) {
      if (this.#answered.has(id)) {
        const before = this.#answered.get(id);
        if (before === undefined) fresh[id] = answer;
        else if (before !== textOf(answer)) throw alreadyAnswered(id);
      } else if (open.some((interrupt) => interrupt.id === id) || this.#asked.has(id)) fresh[id] = answer;
      else throw notOpen(id, open);
    }
    return fresh;
  }

  /** Notes answers that are being committed. */
  give(answers: Readonly<Record<string, WireValue>>): void {
    for (const [id, answer] of Object.entries(answers)) {
      const text = textOf(answer);
      this.#answered.set(id, text.length > LONGEST_KEPT_ANSWER ? undefined : text);
    }
  }

  /** Forgets answers that were refused. */
  take(answers: Readonly<Record<string, WireValue>>): void {
    for (const id of Object.keys(answers)) this.#answered.delete(id);
  }

  /** Questions that nobody has answered. */
  unanswered(open: readonly WireInterrupt[]): WireInterrupt[] {
    return open.filter(({ id }) => !this.#answered.has(id));
  }

  #named(answers: unknown, open: readonly WireInterrupt[]): Record<string, WireValue> {
    const given = typeof answers === "object" && answers !== null ? (answers as Record<string, WireValue>) : {};
    const ids = Object.keys(given);
    if (ids.length === 0) {
      throw refused("OPTIONS_INVALID", "no answer was given.", "Pass { [interruptId]: answer }.");
    }
    if (ids.length > 1 || ids[0] !== "answer") return given;
    const [only, ...others] = this.unanswered(open);
    if (only === undefined) throw notOpen(undefined, open);
    if (others.length === 0) return { [only.id]: given["answer"] };
    throw refused(
      "INTERRUPT_AMBIGUOUS",
      `${others.length + 1} interrupts are open: ${list(open)}.`,
      "Name the one you answer: { [interruptId]: answer }.",
    );
  }
}

function notOpen(id: string | undefined, open: readonly WireInterrupt[]): ApplicationFailure {
  return refused(
    "INTERRUPT_NOT_OPEN",
    `there is no open interrupt${id === undefined ? "" : ` "${id}"`}; open are: ${list(open)}.`,
    "It was never asked, or the run went on without it. Look at the query `state`.",
  );
}

function alreadyAnswered(id: string): ApplicationFailure {
  return refused(
    "INTERRUPT_ALREADY_ANSWERED",
    `interrupt "${id}" was answered before, and differently.`,
    "The first answer stands. Nothing was changed.",
  );
}

function list(open: readonly WireInterrupt[]): string {
  return open.map(({ id, kind, node }) => `${id} (${kind} of "${node}")`).join(", ") || "none";
}

/** A failure that the client shows as a PerdureError of this code. */
function refused(code: string, message: string, hint: string): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message, nonRetryable: true, details: [{ hint }] });
}
