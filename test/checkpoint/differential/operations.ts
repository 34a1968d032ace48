import { Moment } from "./moment.ts";
import { OPERATION_WEIGHTS } from "./operation.ts";
import type { Operation, OperationKind, Part } from "./operation.ts";
import { randomCrowd } from "./random-crowd.ts";
import { CALM, anotherResult, begin, copyOf, onItself, onTop, putOnTop, randomResult } from "./random-put.ts";
import { historyOf, listAllOf, listOf, listTagged, newestOf, readHead, readOf } from "./random-read.ts";
import { anotherResultOf, resultOf, specialWrites } from "./random-writes.ts";
import type { Step } from "./step.ts";
import { ThreadModels, headOf } from "./thread-models.ts";
import type { Found, ThreadModel, ThreadModelsOptions } from "./thread-models.ts";

/** What the operations depend on. */
export interface OperationsOptions extends ThreadModelsOptions {
  readonly seed: number;
  /** How many actors there are: instances of the saver, in this process or in another. */
  readonly actors: number;
  /** The saver's own; LangGraph asks it for each channel that changed. */
  readonly nextVersion: (current: number | undefined) => number;
  /** Kinds that are left out. @default none */
  readonly without?: readonly OperationKind[];
}

/** Steps before it is said who does them. */
type Chosen = Omit<Operation, "index" | "kind" | "parts"> & {
  readonly steps: readonly Step[];
  readonly refused?: true;
};

/**
 * Chooses operations, and keeps a model of what is stored, so that they make sense: forks of checkpoints that
 * are there, results of tasks that have one. Each operation has a seed of its own and ids made of its number, so
 * it stays what it is when others before it are left out.
 */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #threads: ThreadModels;
  readonly #weights: Readonly<Record<OperationKind, number>>;

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#threads = new ThreadModels(options);
    const left = (options.without ?? []).map((kind) => [kind, 0] as const);
    this.#weights = { ...OPERATION_WEIGHTS, ...Object.fromEntries(left) };
  }

  /** Every thread there was, as it is now. */
  get threads(): readonly ThreadModel[] {
    return this.#threads.all;
  }

  /** The operation of this number, chosen for what is stored by now. */
  next(index: number): Operation {
    const moment = new Moment(index, { ...this.#options, threads: this.#threads });
    this.#threads.replaceFull(moment.choices, index);
    const kind = moment.choices.weighted(this.#weights);
    const { steps, refused, ...rest } = choose(moment, kind);
    const parts = steps.map((step): Part => ({
      actor: this.#actor(moment, step),
      step,
      ...(refused === undefined ? {} : { refused }),
    }));
    return { index, kind, parts, ...rest };
  }

  /** Most of a thread is done by one actor, as one process drives it. */
  #actor({ choices }: Moment, { thread = "" }: Step): number {
    const { actors } = this.#options;
    const usual = Buffer.from(thread).reduce((sum, byte) => sum + byte, 0) % actors;
    return choices.chance(70) ? usual : choices.between(0, actors);
  }
}

function choose(moment: Moment, kind: OperationKind): Chosen {
  const { choices } = moment;
  /** Does something with a checkpoint; without any, a first one is put. */
  const withOne = (found: Found | undefined, step: (found: Found) => Step, rest: Omit<Chosen, "steps"> = {}): Chosen =>
    found === undefined ? { steps: [begin(moment)] } : { steps: [step(found)], ...rest };
  switch (kind) {
    case "advance":
      return advance(moment);
    case "fork":
      return withOne(moment.checkpoint(), (found) => putOnTop(moment, found));
    case "begin": {
      const thread = moment.thread();
      // Ids may come back after a thread was deleted, as when it is imported again.
      const id = choices.chance(50) ? choices.pickAny(thread.deleted) : undefined;
      return { steps: [begin(moment, thread, moment.namespace(), id === undefined ? {} : { id })] };
    }
    case "copy":
      return withOne(moment.checkpoint(), (found) => copyOf(moment, found));
    case "unchanged":
      return withOne(moment.checkpoint(), (found) => putOnTop(moment, found, { changes: [], ...CALM }));
    case "retry":
      return withOne(
        moment.checkpoint(({ put }) => put !== undefined),
        // By now another one may be the newest.
        ({ checkpoint }) => ({ ...checkpoint.put!, from: choices.pick(["held", "stored"]) }),
      );
    case "replace": {
      const found = moment.checkpoint();
      return withOne(found, (one) => anotherResult(moment, one), forgetting(found));
    }
    case "onItself": {
      const found = moment.checkpoint();
      if (found === undefined) return { steps: [begin(moment)] };
      // Read at once: whoever walks from a checkpoint that became its own parent never ends.
      return { steps: [onItself(moment, found), readOf(found)], ...forgetting(found) };
    }
    case "late":
      return withOne(moment.checkpoint(), (found) =>
        putOnTop(moment, found, { id: moment.newId(choices.between(1, 3_000)) }),
      );
    case "crowd":
      return { steps: randomCrowd(moment), atOnce: true };
    case "writes":
      return withOne(moment.checkpoint(), (found) => resultOf(moment, found));
    case "repeatedWrites":
      return withOne(
        moment.checkpoint(({ tasks }) => tasks.length > 0),
        (found) => anotherResultOf(moment, found),
      );
    case "specialWrites":
      return withOne(moment.checkpoint(), (found) => specialWrites(moment, found));
    case "readHead":
      return { steps: [readHead(moment)] };
    case "read":
      return withOne(moment.checkpoint(), readOf);
    case "readNothing":
      return { steps: [{ kind: "read", thread: moment.thread().id, ns: "elsewhere", id: moment.newId() }] };
    case "list":
      return { steps: [listOf(moment)] };
    case "listTagged":
      return { steps: [listTagged(moment)] };
    case "history":
      return withOne(moment.checkpoint(), (found) => historyOf(moment, found));
    case "newest":
      return { steps: [newestOf(moment)] };
    case "spoil":
      return {
        ...withOne(moment.checkpoint(), (found) => (choices.chance(50) ? readHead(moment) : readOf(found))),
        spoil: true,
      };
    case "delete": {
      const thread = moment.thread();
      moment.threads.delete(thread);
      return { steps: [{ kind: "delete", thread: thread.id }], forget: { thread: thread.id } };
    }
    case "reopen":
      return { steps: [listAllOf(moment.thread().id)], reopen: true };
  }
}

/** A graph goes on; some as the runner does, with a guard, which is refused on another checkpoint than the newest. */
function advance(moment: Moment): Chosen {
  const { choices } = moment;
  const thread = moment.thread();
  const ns = moment.namespace();
  const head = headOf(thread, ns);
  if (head === undefined) return { steps: [begin(moment, thread, ns)] };
  const found = { thread, checkpoint: head };
  if (!choices.chance(15)) return { steps: [putOnTop(moment, found, choices.chance(30) ? { from: "head" } : {})] };
  const guarded = { guarded: true, ...CALM, result: choices.chance(60) ? randomResult(moment) : undefined };
  const older = choices.chance(25) ? moment.checkpoint((one) => one.ns === ns && one !== head, thread) : undefined;
  if (older === undefined) return { steps: [putOnTop(moment, found, guarded)] };
  return { steps: [onTop(moment, older, { ...guarded, from: "stored" })], refused: true };
}

/** What others hold of a checkpoint that is put anew is not so any more. */
function forgetting(found: Found | undefined): Pick<Operation, "forget"> {
  return found === undefined ? {} : { forget: { thread: found.thread.id, id: found.checkpoint.id } };
}
