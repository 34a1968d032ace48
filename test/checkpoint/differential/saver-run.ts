import { firstDifference } from "./first-difference.ts";
import type { Difference } from "./first-difference.ts";
import { localActor } from "./actor.ts";
import type { Actor } from "./actor.ts";
import type { Operation, OperationKind, Part } from "./operation.ts";
import { Operations } from "./operations.ts";
import type { OperationsOptions } from "./operations.ts";
import { listAllOf } from "./random-read.ts";
import { ReferenceSaver } from "./reference-saver.ts";
import type { DifferentialBackend, DifferentialStore } from "./stores.ts";
import type { Step } from "./step.ts";
import { REFUSED } from "./workbench.ts";

/** What a run is made of. */
export interface SaverRunOptions extends Pick<OperationsOptions, "seed" | "threads" | "hugeThreads" | "without"> {
  /** The numbers of the operations to do. */
  readonly operations: readonly number[];
}

/** What came out. */
export interface SaverRunReport {
  readonly difference: FoundDifference | undefined;
  readonly done: number;
  /** How often each kind of operation was done. */
  readonly counts: Readonly<Partial<Record<OperationKind, number>>>;
  /** The last operations, at most 30. */
  readonly last: readonly Operation[];
  /** The numbers of those that had to do with the thread of the difference. */
  readonly ofTheThread: readonly number[];
}

/** A difference, and the operation whose answer shows it. */
export interface FoundDifference extends Difference {
  readonly operation: Operation | "the last look at everything";
  readonly step: Step;
  readonly actor: number;
}

/**
 * Does random operations with a saver and with MemorySaver, and compares each answer; in the end everything that
 * is stored, read by instances that were just opened. Stops at the first difference.
 */
export async function runAgainstMemorySaver(
  backend: DifferentialBackend,
  options: SaverRunOptions,
): Promise<SaverRunReport> {
  const store = await backend.fresh();
  try {
    return await new SaverRun(store, new ReferenceSaver(backend), options).run(options.operations);
  } finally {
    await store.remove();
  }
}

class SaverRun {
  readonly #actors: readonly Actor[];
  /** One for each actor, all on one MemorySaver. */
  readonly #references: Promise<Actor[]>;
  readonly #operations: Operations;
  readonly #last: Operation[] = [];
  readonly #byThread = new Map<string | undefined, Set<number>>();
  readonly #counts: Partial<Record<OperationKind, number>> = {};

  constructor(store: DifferentialStore, reference: ReferenceSaver, options: SaverRunOptions) {
    this.#actors = store.actors;
    this.#references = Promise.all(store.actors.map(() => localActor(async () => reference)));
    this.#operations = new Operations({
      ...options,
      actors: store.actors.length,
      nextVersion: (current) => store.nextVersion(current),
    });
  }

  async run(indices: readonly number[]): Promise<SaverRunReport> {
    let done = 0;
    for (const index of indices) {
      const operation = this.#operations.next(index);
      this.#counts[operation.kind] = (this.#counts[operation.kind] ?? 0) + 1;
      done += 1;
      this.#last.push(operation);
      this.#last.splice(0, this.#last.length - 30);
      for (const { step } of operation.parts) {
        const indices = this.#byThread.get(step.thread) ?? new Set();
        this.#byThread.set(step.thread, indices.add(index));
      }
      const difference = await this.#perform(operation);
      if (difference !== undefined) return this.#report({ ...difference, operation }, done);
    }
    const difference = await this.#lookAtEverything();
    const operation = "the last look at everything" as const;
    return this.#report(difference && { ...difference, operation }, done);
  }

  #report(difference: FoundDifference | undefined, done: number): SaverRunReport {
    const ofTheThread = [...(this.#byThread.get(difference?.step.thread) ?? [])];
    return { difference, done, counts: this.#counts, last: this.#last, ofTheThread };
  }

  async #perform(operation: Operation): Promise<Omit<FoundDifference, "operation"> | undefined> {
    for (const side of operation.atOnce ? [operation.parts] : operation.parts.map((part) => [part])) {
      const difference = await this.#compare(side);
      if (difference !== undefined) return difference;
    }
    const references = await this.#references;
    const { forget, reopen, spoil, parts } = operation;
    const actor = parts[0]!.actor;
    if (spoil) await Promise.all([this.#actors[actor]!.spoil(), references[actor]!.spoil()]);
    if (forget !== undefined) {
      await Promise.all([...this.#actors, ...references].map((each) => each.forget(forget)));
    }
    if (reopen) {
      await this.#actors[actor]!.reopen();
      await references[actor]!.forget();
    }
    return undefined;
  }

  /** Several parts run side by side; MemorySaver does them one after the other. */
  async #compare(parts: readonly Part[]): Promise<Omit<FoundDifference, "operation"> | undefined> {
    const references = await this.#references;
    const answers = await Promise.allSettled(parts.map(({ actor, step }) => this.#actors[actor]!.run(step)));
    for (const [position, { actor, step, refused }] of parts.entries()) {
      const answer = answers[position]!;
      const expected = refused === true ? REFUSED : await references[actor]!.run(step);
      const where = { step, actor };
      if (answer.status === "rejected") return { ...where, path: "", ours: answer.reason, reference: expected };
      const difference = firstDifference(answer.value, expected);
      if (difference !== undefined) return { ...where, ...difference };
    }
    return undefined;
  }

  async #lookAtEverything(): Promise<Omit<FoundDifference, "operation"> | undefined> {
    for (const actor of this.#actors) await actor.reopen();
    for (const [position, thread] of this.#operations.threads.entries()) {
      const actor = position % this.#actors.length;
      const list = listAllOf(thread.id);
      const heads = [...new Set([...thread.checkpoints.values()].map(({ ns }) => ns))].map((ns): Step => ({
        kind: "read",
        thread: thread.id,
        ns,
        id: undefined,
      }));
      for (const step of [list, ...heads]) {
        const difference = await this.#compare([{ actor, step }]);
        if (difference !== undefined) return difference;
      }
    }
    return undefined;
  }
}
