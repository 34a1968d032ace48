import { firstDifference } from "./first-difference.ts";
import type { Difference } from "./first-difference.ts";
import { localActor } from "./actor.ts";
import type { Actor } from "./actor.ts";
import { expectNoDifference } from "./expect-no-difference.ts";
import type { RunReport } from "./expect-no-difference.ts";
import type { Operation, OperationKind, Part } from "./operation.ts";
import { Operations } from "./operations.ts";
import type { OperationsOptions } from "./operations.ts";
import { listAllOf } from "./random-read.ts";
import { ReferenceSaver } from "./reference-saver.ts";
import type { DifferentialBackend, DifferentialStore } from "./stores.ts";
import type { Step } from "./step.ts";

/** What a run is made of. */
export interface SaverRunOptions extends Pick<OperationsOptions, "seed" | "threads" | "hugeThreads" | "without"> {
  /** The numbers of the operations to do. */
  readonly operations: readonly number[];
}

/** What came out. */
export interface SaverRunReport extends RunReport {
  /** How often each kind of operation was done. */
  readonly counts: Readonly<Partial<Record<OperationKind, number>>>;
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

/** The first `count` operations of a seed find no difference; else an error that shows it with few of them. */
export function expectSaverLikeMemorySaver(
  backend: DifferentialBackend,
  options: Omit<SaverRunOptions, "operations"> & { readonly count: number },
): Promise<SaverRunReport> {
  const run = (operations: readonly number[]): Promise<SaverRunReport> =>
    runAgainstMemorySaver(backend, { ...options, operations });
  return expectNoDifference({ name: backend.name, ...options, run });
}

interface StepDifference extends Difference {
  readonly step: Step;
  readonly actor: number;
}

class SaverRun {
  readonly #actors: readonly Actor[];
  /** One for each actor, all on one MemorySaver. */
  readonly #references: Promise<Actor[]>;
  readonly #operations: Operations;
  readonly #done: Operation[] = [];

  constructor({ actors }: DifferentialStore, reference: ReferenceSaver, options: SaverRunOptions) {
    this.#actors = actors;
    this.#references = Promise.all(actors.map(() => localActor(async () => reference)));
    const nextVersion = (current: number | undefined): number => actors[0]!.saver.getNextVersion(current) as number;
    this.#operations = new Operations({ ...options, actors: actors.length, nextVersion });
  }

  async run(indices: readonly number[]): Promise<SaverRunReport> {
    for (const index of indices) {
      const operation = this.#operations.next(index);
      this.#done.push(operation);
      const difference = await this.#perform(operation);
      if (difference !== undefined) return this.#report(difference);
    }
    return this.#report(await this.#lookAtEverything());
  }

  #report(difference: StepDifference | undefined): SaverRunReport {
    const counts: Partial<Record<OperationKind, number>> = {};
    for (const { kind } of this.#done) counts[kind] = (counts[kind] ?? 0) + 1;
    const ofTheThread = this.#done.filter(({ parts }) =>
      parts.some(({ step }) => step.thread === difference?.step.thread),
    );
    const story = this.#done
      .slice(-30)
      .flatMap(({ index, kind, parts }) =>
        parts.map(({ actor, step }) => `${index} ${kind}, actor ${actor}: ${JSON.stringify(step)}`),
      );
    return {
      difference,
      done: this.#done.length,
      counts,
      likely: ofTheThread.map(({ index }) => index),
      story: [`Actor ${difference?.actor} did ${JSON.stringify(difference?.step)} after`, ...story],
    };
  }

  async #perform({ atOnce, forget, reopen, spoil, parts }: Operation): Promise<StepDifference | undefined> {
    for (const side of atOnce ? [parts] : parts.map((part) => [part])) {
      const difference = await this.#compare(side);
      if (difference !== undefined) return difference;
    }
    const references = await this.#references;
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
  async #compare(parts: readonly Part[]): Promise<StepDifference | undefined> {
    const references = await this.#references;
    const answers = await Promise.allSettled(parts.map(({ actor, step }) => this.#actors[actor]!.run(step)));
    for (const [position, { actor, step, refused }] of parts.entries()) {
      const answer = answers[position]!;
      const expected = await references[actor]!.run(
        refused && step.kind === "put" ? { ...step, resultOnly: true } : step,
      );
      if (answer.status === "rejected") return { step, actor, path: "", ours: answer.reason, reference: expected };
      const difference = firstDifference(answer.value, expected);
      if (difference !== undefined) return { step, actor, ...difference };
    }
    return undefined;
  }

  async #lookAtEverything(): Promise<StepDifference | undefined> {
    for (const actor of this.#actors) await actor.reopen();
    for (const [position, thread] of this.#operations.threads.entries()) {
      const actor = position % this.#actors.length;
      const namespaces = new Set([...thread.checkpoints.values()].map(({ ns }) => ns));
      const heads = [...namespaces].map((ns): Step => ({ kind: "read", thread: thread.id, ns, id: undefined }));
      for (const step of [listAllOf(thread.id), ...heads]) {
        const difference = await this.#compare([{ actor, step }]);
        if (difference !== undefined) return difference;
      }
    }
    return undefined;
  }
}
