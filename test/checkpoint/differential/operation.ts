import type { Step } from "./step.ts";

/** What is done at once: one step, or several that run side by side. */
export interface Operation {
  readonly index: number;
  readonly kind: OperationKind;
  readonly parts: readonly Part[];
  /** The parts run side by side, not one after the other. */
  readonly atOnce?: true;
  /** What every workbench forgets afterwards, because it was deleted or put anew. */
  readonly forget?: { readonly thread: string; readonly id?: string };
  /** Its actor is closed and opened again afterwards. */
  readonly reopen?: true;
  /** Its actor spoils what it read. */
  readonly spoil?: true;
}

/** A step, who does it, and whether it must be refused with CHECKPOINT_CONFLICT. */
export interface Part {
  readonly actor: number;
  readonly step: Step;
  readonly refused?: true;
}

/** How often each kind of operation is chosen. */
export const OPERATION_WEIGHTS = {
  /** A graph goes on from the newest checkpoint. */
  advance: 360,
  /** A fork: on top of an older checkpoint. */
  fork: 80,
  /** A first checkpoint, also in a namespace that has some. */
  begin: 20,
  /** `updateState(…, "__copy__")`: the values of a checkpoint on top of its own parent, and no new versions. */
  copy: 20,
  /** Without a change: `updateState(config, null)`. */
  unchanged: 10,
  /** The same put once more, as after a lost connection. */
  retry: 15,
  /** Another put of the same id: `durability: "exit"` does it. */
  replace: 15,
  /** `durability: "exit"` without a superstep: a checkpoint on top of itself. */
  onItself: 10,
  /** By a machine whose clock is behind: newer, but with a lower id than the newest. */
  late: 15,
  /** Several calls side by side, in one thread or in several. */
  crowd: 60,
  /** The result of a task. */
  writes: 130,
  /** Another result of a task that has one. */
  repeatedWrites: 40,
  /** Errors, questions, answers. */
  specialWrites: 60,
  readHead: 90,
  read: 60,
  readNothing: 10,
  list: 70,
  /** Over all threads. */
  listTagged: 6,
  history: 50,
  newest: 20,
  spoil: 40,
  delete: 14,
  reopen: 12,
} as const;

/** One kind of operation. */
export type OperationKind = keyof typeof OPERATION_WEIGHTS;
