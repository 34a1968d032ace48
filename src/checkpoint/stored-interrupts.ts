import type { InterruptWrite } from "./interrupt-id.ts";

/** As much of a stored interrupt as tells whose question it is. */
type Marked = Pick<InterruptWrite, "perdure">;

/**
 * The interrupts that a task has stored, whichever way it was done. LangGraph stores one list for each task since
 * 1.7, and stored each interrupt by itself before. A runner of ours that did not know of the list spread it into an
 * object, `{ "0": … }`, with one mark for all.
 */
export function storedInterrupts<Interrupt extends Marked>(stored: unknown): readonly Interrupt[] {
  if (Array.isArray(stored)) return stored as Interrupt[];
  if (typeof stored !== "object" || stored === null || !("0" in stored)) {
    return stored === undefined || stored === null ? [] : [stored as Interrupt];
  }
  const { perdure, ...items } = stored as Marked & Readonly<Record<string, Interrupt>>;
  const all = Object.values(items);
  // It took several, which only a subgraph asks, for one question of the task itself.
  const mark = all.length > 1 ? { ...perdure, nested: true } : perdure;
  return all.map((item) => (mark === undefined ? item : { ...item, perdure: mark }));
}

/**
 * The interrupt that says what a task waits for. A task asks one thing at a time; what else it has stored is what the
 * tasks of a subgraph ask at the same time, which only repeats what is stored there. Where no mark tells them apart it
 * is the last one, as LangGraph kept only that before 1.7.
 */
export function ownInterrupt<Interrupt extends Marked>(stored: unknown): Interrupt | undefined {
  const all = storedInterrupts<Interrupt>(stored);
  return all.findLast(({ perdure }) => perdure?.nested !== true) ?? all.at(-1);
}
