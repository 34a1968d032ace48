/** What an activity does to the thread: runs tasks of it, or commits answers and the like. */
export type ActivityKind = "tasks" | "answers";

/** Activities under way, and whether what they report is the last word on where the thread stands. */
export class Overlap {
  #inFlight = 0;
  /** What ran at the same time since none was under way. */
  #mixed: "none" | ActivityKind = "none";
  #first: ActivityKind = "tasks";
  /** Where the thread stood when the first of those under way began. */
  #from = "";

  get inFlight(): number {
    return this.#inFlight;
  }

  begin(kind: ActivityKind, checkpointId: string): void {
    if (this.#inFlight === 0) {
      this.#mixed = "none";
      this.#from = checkpointId;
      this.#first = kind;
    } else if (this.#mixed !== "answers") {
      this.#mixed = kind === "answers" || this.#first === "answers" ? "answers" : "tasks";
    }
    this.#inFlight += 1;
  }

  /**
   * One has ended. Returns whether all have, and none of them can have seen what the others did: of tasks that ran side
   * by side, the one that committed their superstep has.
   */
  end(checkpointId: string): boolean {
    this.#inFlight -= 1;
    const isAdvanced = this.#mixed === "tasks" && checkpointId !== this.#from;
    return this.#inFlight === 0 && this.#mixed !== "none" && !isAdvanced;
  }
}
