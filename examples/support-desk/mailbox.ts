import type { ApprovalAnswer } from "perdure/nodes";

/** Keeps the answers for one thread until the thread has time for them. */
export class Mailbox {
  #answers: Record<string, ApprovalAnswer> = {};
  #arrived = () => {};

  put(interruptId: string, answer: ApprovalAnswer): void {
    this.#answers[interruptId] = answer;
    this.#arrived();
  }

  /** All that there is, by interrupt id; waits until there is something. */
  async take(): Promise<Record<string, ApprovalAnswer>> {
    if (Object.keys(this.#answers).length === 0) await new Promise<void>((resolve) => (this.#arrived = resolve));
    const answers = this.#answers;
    this.#answers = {};
    return answers;
  }
}
